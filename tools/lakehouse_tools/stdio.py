"""MCP over this process's standard input and output, read and written by the event loop itself.

The SDK's transport gives each read, write and flush to a thread, and back: half a millisecond for each call
on a small machine, as much as a small statement takes. It keeps what it does with the messages; only the
two streams under it are ours.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any, cast

import anyio
import anyio.lowlevel
import anyio.to_thread
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server

_READ_BYTES = 1 << 16
_FIRST_OWN = 3


async def serve(server: MCPServer[Any]) -> None:
    """Serve until the client closes its end."""
    # The server class runs over its own transport only; this is what it does, over ours.
    lowlevel = server._lowlevel_server
    with _wire() as (incoming, outgoing):
        lines, replies = Lines(incoming), Replies(outgoing)
        streams = stdio_server(cast("anyio.AsyncFile[str]", lines), cast("anyio.AsyncFile[str]", replies))
        async with streams as (read, write):
            await lowlevel.run(read, write, lowlevel.create_initialization_options())


class Lines:
    """The lines that come in through a descriptor: a pipe, a socket, a terminal or a file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def __aiter__(self) -> AsyncIterator[str]:
        parts: list[bytes] = []
        while True:
            await _ready(anyio.wait_readable, self._descriptor)
            try:
                data = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                continue
            *ends, rest = data.split(b"\n")
            for end in ends:
                yield b"".join([*parts, end]).decode(errors="replace")
                parts.clear()
            parts.append(rest)
            if not data:
                break
        if any(parts):
            yield b"".join(parts).decode(errors="replace")


class Replies:
    """Writes whole texts to a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def write(self, text: str) -> None:
        """Write all of a text; returns when the other end has room for it, and blocks nothing until then."""
        data = text.encode(errors="replace")
        if len(data) <= select.PIPE_BUF:
            # So much is written at once, or not at all, once the descriptor is ready (POSIX, `write`).
            await _ready(anyio.wait_writable, self._descriptor)
            _write_all(self._descriptor, data)
        else:
            await anyio.to_thread.run_sync(partial(_write_all, self._descriptor, data))

    async def flush(self) -> None:
        """Nothing is held back."""


async def _ready(wait: Any, descriptor: int) -> None:
    try:
        await wait(descriptor)
    except PermissionError:
        # A file: an event loop cannot wait for one, and need not.
        await anyio.lowlevel.checkpoint()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            # Whoever started us made it so that it never waits.
            select.select([], [descriptor], [])


@contextlib.contextmanager
def _wire() -> Iterator[tuple[int, int]]:
    """The client's two ends under numbers of their own.

    Meanwhile 0 reads nothing and 1 is standard error, so that nothing in this process, and no process it
    starts, reads a message or writes between two.
    """
    incoming = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, _FIRST_OWN)
    outgoing = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, _FIRST_OWN)
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        yield incoming, outgoing
    finally:
        os.dup2(incoming, 0)
        os.dup2(outgoing, 1)
        for descriptor in (nothing, incoming, outgoing):
            os.close(descriptor)
