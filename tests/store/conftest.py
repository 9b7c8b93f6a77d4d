from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_keys_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
