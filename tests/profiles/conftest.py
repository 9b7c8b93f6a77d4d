"""One lake with two readers: each is shown its own part, and everything else holds a canary."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import LakehouseError

PROFILES = """
[profiles.north]
datasets = ["people", "open_*"]
[profiles.north.restrict.people]
where = "region = 'north'"
hide = ["canary_salary"]
mask = { email = "redact", phone = "left(phone, 3)" }

[profiles.south]
datasets = ["people", "canary_plans"]
[profiles.south.restrict.people]
where = "region = 'south'"

[profiles.loader]
datasets = ["open_*"]
rights = ["read", "ingest", "index"]

[profiles.broken]
datasets = ["people"]
[profiles.broken.restrict.people]
where = "canary_nothing = 1"
"""
PEOPLE = (
    "id,name,region,canary_salary,email,phone,bio\n"
    "1,Ada,north,canary1001,canary1@x.example,312-canary1,welds pipes in Narvik\n"
    "2,canaryBob,south,canary1002,canary2@x.example,512-canary2,canary keeps bees in Napoli\n"
    "3,Cy,north,canary1003,canary3@x.example,313-canary3,drives a forklift in Narvik\n"
    "4,canaryDee,south,canary1004,canary4@x.example,514-canary4,canary bakes bread in Napoli\n"
)
# Nothing that the reader `north` receives may hold it, in any spelling.
CANARY = "canary"


def received(work: Callable[[], object]) -> str:
    """What a reader is given, be it an answer or an error, with everything that hangs on the error."""
    try:
        return str(work())
    except LakehouseError as error:
        return f"{error} {error.hint} {error.__cause__}"


@pytest.fixture(autouse=True, scope="session")
def nothing_of_this_machine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "LAKEHOUSE_"))]:
            patch.delenv(name)
        patch.setenv("LAKEHOUSE_EMBEDDER", "wordllama")
        yield


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the lake, whose path holds a canary too."""
    folder = tmp_path_factory.mktemp("canary") / "lake"
    folder.mkdir()
    (folder / "lakehouse.toml").write_text(PROFILES)
    with Lakehouse.open(folder, allow=[folder.parent]) as lake:
        source = folder.parent / "canary_people.csv"
        source.write_text(PEOPLE)
        lake.ingest(source, "people", key=["id"], text=["bio"])
        lake.ingest({"name": "canary_plans.md", "text": "# canary\n\nThe canary sings at noon.\n"})
        lake.ingest({"name": "open_notes.md", "text": "# Notes\n\nThe gate opens at eight.\n"})
    return folder


@pytest.fixture(scope="session")
def opened(folder: Path) -> Iterator[Callable[[str], Lakehouse]]:
    """Gives the lake as a profile sees it; each is opened once."""
    lakes: dict[str, Lakehouse] = {}

    def open_as(profile: str) -> Lakehouse:
        if profile not in lakes:
            lakes[profile] = Lakehouse.open(folder, profile=profile)
        return lakes[profile]

    yield open_as
    for lake in lakes.values():
        lake.close()


@pytest.fixture
def north(opened: Callable[[str], Lakehouse]) -> Lakehouse:
    """The lake as the reader `north` sees it."""
    return opened("north")
