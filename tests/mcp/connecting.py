"""Servers in processes of their own, and clients connected to them over stdio and HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

TOKEN = "an-example-token-of-good-length"


def command(folder: Path, *options: str) -> list[str]:
    """Arguments of Python that serve `folder/lake`, which may load from `folder/files`."""
    (folder / "files").mkdir(exist_ok=True)
    lake = ["--lake", str(folder / "lake"), "--allow", str(folder / "files")]
    return ["-m", "mcp_lakehouse", "serve", *lake, *options]


@asynccontextmanager
async def over_stdio(folder: Path, era: str, **environment: str) -> AsyncIterator[tuple[Client, int]]:
    """A client and the process id of the server it started."""
    before = {child.pid for child in psutil.Process().children()}
    server = StdioServerParameters(command=sys.executable, args=command(folder), env=environment)
    async with Client(server, mode=era) as client:
        (started,) = {child.pid for child in psutil.Process().children()} - before
        yield client, started


@contextmanager
def http_server(folder: Path, *options: str) -> Iterator[tuple[str, int]]:
    """The URL of a server that asks for the token, and its process id."""
    with subprocess.Popen(
        [sys.executable, *command(folder, "--http", "127.0.0.1:0", *options)],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "LAKEHOUSE_TOKEN": TOKEN},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        try:
            found = re.search(r"(http://\S+/mcp)", process.stderr.readline())
            assert found
            yield found.group(1), process.pid
        finally:
            process.terminate()
            assert process.wait(30) == 0


@asynccontextmanager
async def over_http(url: str, era: str, *, token: str = TOKEN, **more: Any) -> AsyncIterator[Client]:
    """A client that sends the token."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=era, **more) as client,
    ):
        yield client
