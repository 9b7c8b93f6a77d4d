"""Lakes to test: most tests share one of each kind and name their datasets after themselves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from lake.places import Place, folder_place, inline
from lake.searching import fill
from mcp_lakehouse import Lakehouse
from s3_server import BUCKET


@pytest.fixture(scope="session")
def s3_place(tmp_path_factory: pytest.TempPathFactory, s3_environment: Mapping[str, str]) -> Place:
    """An empty lake in object storage."""
    folder = tmp_path_factory.mktemp("s3")
    (folder / "files").mkdir()
    return Place("s3", f"s3://{BUCKET}/{uuid4().hex}/a lake", folder / "files", folder / "cache", s3_environment)


@pytest.fixture(scope="session", params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A lake of each kind, shared by all tests: every test that takes it runs on both."""
    if request.param == "folder":
        return folder_place(tmp_path_factory.mktemp("folder"))
    found: Place = request.getfixturevalue("s3_place")
    return found


@pytest.fixture(scope="session")
def lake(place: Place) -> Iterator[Lakehouse]:
    """The shared lake of each kind, open."""
    with place.open() as opened:
        yield opened


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    with folder_place(folder).open() as opened:
        opened.ingest(inline("t", "a,b\n1,x\n"))
    return folder / "lake"


@pytest.fixture
def prepared(tmp_path: Path, _template: Path) -> Place:
    """A folder of the test's own with a lake that holds version 0 of `t`: one row, a = 1 and b = 'x'."""
    place = folder_place(tmp_path)
    shutil.copytree(_template, place.address)
    return place


@pytest.fixture(autouse=True, scope="session")
def nothing_of_this_machine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "LAKEHOUSE_"))]:
            patch.delenv(name)
        # Needs no weights to be converted, and is fast.
        patch.setenv("LAKEHOUSE_EMBEDDER", "wordllama")
        yield


@pytest.fixture(scope="session")
def animals(lake: Lakehouse) -> str:
    """A dataset of six texts."""
    fill(lake, "animals", description="six animals")
    return "animals"
