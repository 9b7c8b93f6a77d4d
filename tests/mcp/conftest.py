"""Lakes behind a server, and clients that are connected to it in either protocol era."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from mcp import Client
from mcp.server import MCPServer

from lakehouse_tools import build_server
from mcp_lakehouse import Lakehouse
from tests.mcp.calling import Served

# How a client of each era connects: 2026-07-28 discovers, earlier ones initialize.
ERAS = {"modern": "auto", "legacy": "legacy"}
PEOPLE = "id,name,city,born\n1,Ada,London,1815-12-10\n2,Grace,New York,1906-12-09\n3,Edsger,,1930-05-11\n"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    """The mode of a client of each era."""
    return ERAS[request.param]


def filled(folder: Path) -> Lakehouse:
    """An open lake with the dataset `people`; it may load from `folder/files`."""
    files = folder / "files"
    files.mkdir()
    (files / "people.csv").write_text(PEOPLE)
    lake = Lakehouse.open(folder / "lake", allow=[files])
    lake.ingest(files / "people.csv", key=["id"], description="Three pioneers")
    return lake


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One lake for all tests of a module, which leave `people` as it is."""
    folder = tmp_path_factory.mktemp("shared")
    with filled(folder) as lake:
        yield Served(lake, build_server(lake), folder / "files")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """A lake of the test's own."""
    with filled(tmp_path) as lake:
        yield Served(lake, build_server(lake), tmp_path / "files")


@pytest.fixture
async def client(shared: Served, era: str) -> AsyncIterator[Client]:
    """A client of each era, connected to the shared lake in the same process."""
    async with Client(shared.server, mode=era) as connected:
        yield connected


@pytest.fixture
async def reader(shared: Served, era: str) -> AsyncIterator[Client]:
    """The same, connected to a server that offers nothing that changes the lake."""
    server: MCPServer = build_server(shared.lake, read_only=True)
    async with Client(server, mode=era) as connected:
        yield connected
