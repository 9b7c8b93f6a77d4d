"""Servers over a lake, each a process of its own as a user starts it, and what is asked of them."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.proofs.places import ROOT, Place

_ANSWER_SECONDS = 60
_STOP_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """Where it listens on loopback."""

    port: int

    def connect(self) -> http.client.HTTPConnection:
        """A connection of one client's own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER_SECONDS)

    def post(self, path: str, **body: Any) -> Any:
        """What it answers to a request that must succeed."""
        with contextlib.closing(self.connect()) as connection:
            return answer(connection, path, body)

    def rows(self, statement: str) -> list[list[Any]]:
        """The rows of a statement."""
        rows: list[list[Any]] = self.post("/sql", statement=statement)["rows"]
        return rows

    @contextlib.asynccontextmanager
    async def mcp(self) -> AsyncIterator[Client]:
        """An MCP client that is connected to it."""
        url = f"http://127.0.0.1:{self.port}/mcp"
        async with (
            httpx2.AsyncClient(timeout=_ANSWER_SECONDS) as http_client,
            Client(streamable_http_client(url, http_client=http_client)) as client,
        ):
            yield client


def answer(connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> Any:
    """What is answered to a POST that must succeed."""
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    assert response.status == 200, text.decode()[:2_000]
    return json.loads(text)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured content of a tool call that must succeed."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


@contextlib.contextmanager
def serving(place: Place, cache: str = "cache") -> Iterator[Server]:
    """A server over the lake, with local state of its own where `cache` is another name."""
    environment = {**place.environment(), "LAKEHOUSE_CACHE": str(place.folder / cache)}
    command = [sys.executable, "-m", "mcp_lakehouse", "serve", "--http", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            found = re.search(r":(\d+)/mcp", line)
            assert found, line + process.stderr.read()
            yield Server(int(found[1]))
        finally:
            process.terminate()
            assert process.wait(_STOP_SECONDS) == 0
