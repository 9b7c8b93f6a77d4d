"""A lake served over real HTTP on a free loopback port, from a thread of the test's own process."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import httpx2
import pytest

from lakehouse_tools import build_server
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.gateway.access import Access
from mcp_lakehouse.gateway.app import build_app
from mcp_lakehouse.gateway.binding import listening
from mcp_lakehouse.gateway.http import HttpServer
from mcp_lakehouse.gateway.limits import HttpLimits
from mcp_lakehouse.settings import read_settings
from tests.in_turn import InTurn
from tests.place import place_of

TOKEN = "an-example-token-of-good-length"
STOP_SECONDS = 15
PEOPLE = "id,name,city\n1,Ada,London\n2,Grace,New York\n3,Edsger,Austin\n"


@dataclass(frozen=True, slots=True)
class Served:
    """The lake, where it is served, and a client for it."""

    lake: Lakehouse
    files: Path
    port: int
    http: httpx2.Client

    @property
    def url(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self.port}"

    def sql(self, statement: str, **rest: object) -> httpx2.Response:
        """POST /sql."""
        return self.http.post("/sql", json={"statement": statement, **rest})

    def rows(self, statement: str) -> list[list[object]]:
        """The rows of a statement that must succeed."""
        answer = self.sql(statement)
        assert answer.status_code == 200, answer.text
        rows: list[list[object]] = answer.json()["rows"]
        return rows


@contextmanager
def serving(
    folder: Path,
    *,
    token: str = "",
    origins: Sequence[str] = (),
    limits: HttpLimits | None = None,
    read_only: bool = False,
    **settings: str,
) -> Iterator[Served]:
    """The lake in `folder`, served until the context ends."""
    files = folder / "files"
    files.mkdir(exist_ok=True)
    flags: dict[str, str | None] = {**place_of(folder), "allow": str(files), "embedder": "wordllama"}
    flags |= {"read_only": str(read_only).lower(), **settings}
    budget = limits or HttpLimits(shutdown_seconds=1)
    with (
        Lakehouse.open(settings=read_settings(flags)) as lake,
        listening("127.0.0.1", 0, token=token) as listener,
    ):
        port = int(listener.getsockname()[1])
        access = Access.of("127.0.0.1", port, token=token, origins=origins)
        server = HttpServer(build_app(lake, build_server(lake), access, budget), budget, lake.close)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
                yield Served(lake, files, port, client)
        finally:
            server.should_exit = True
            thread.join(STOP_SECONDS)
            assert not thread.is_alive()


@contextmanager
def twice_served(folder: Path, **settings: str) -> Iterator[Served]:
    """The lake behind two servers, which `http` asks in turn: what one of them did, the other knows."""
    with serving(folder, **settings) as one, serving(folder, **settings) as other:
        yield replace(one, http=cast(httpx2.Client, InTurn(one.http, other.http)))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lake with the dataset `people`, shared by the tests of a module: they leave `people` as it is."""
    with twice_served(tmp_path_factory.mktemp("served")) as each:
        (each.files / "people.csv").write_text(PEOPLE)
        each.lake.ingest(each.files / "people.csv", key=["id"])
        yield each
