"""Lakes behind two servers, and clients that are connected to both in either protocol era."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mcp import Client
from mcp.server import MCPServer

from lakehouse_tools import build_server
from tests.mcp.calling import Served
from tests.mcp.serving import served

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


@contextmanager
def filled(folder: Path) -> Iterator[Served]:
    """A lake with the dataset `people`."""
    with served(folder, files=folder / "files") as found:
        found.lake.ingest(found.put("people.csv", PEOPLE), key=["id"], description="Three pioneers")
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One lake for all tests of a module, which leave `people` as it is."""
    with filled(tmp_path_factory.mktemp("shared")) as found:
        yield found


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """A lake of the test's own."""
    with filled(tmp_path) as found:
        yield found


@pytest.fixture
async def client(shared: Served, era: str) -> AsyncIterator[Client]:
    """A client of each era, connected to the shared lake."""
    async with shared.connected(era) as connected:
        yield connected


@pytest.fixture
async def reader(shared: Served, era: str) -> AsyncIterator[Client]:
    """A client of each era of a server that offers nothing that changes the shared lake."""
    server: MCPServer = build_server(shared.lake, read_only=True)
    async with Client(server, mode=era) as connected:
        yield connected
