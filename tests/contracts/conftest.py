from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.places import Place
from s3_server import BUCKET


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place of each kind; every test that takes it runs on both."""
    staging = tmp_path / "staging"
    staging.mkdir()
    if request.param == "local":
        return Place("local", str(tmp_path / "lake of größe"), {}, staging)
    environment = request.getfixturevalue("s3_environment")
    return Place("s3", f"s3://{BUCKET}/{uuid4().hex}/a lake", environment, staging)


@pytest.fixture(autouse=True)
def no_keys_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
