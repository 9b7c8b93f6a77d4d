"""One loading worker for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingest.harness import Loading


@pytest.fixture(scope="session")
def loading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loading]:
    found = Loading(tmp_path_factory.mktemp("loading").resolve())
    yield found
    found.close()
