"""Listening on an address until a signal comes."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import anyio
import anyio.to_thread
import uvicorn
from starlette.applications import Starlette

from mcp_lakehouse.gateway.access import Access
from mcp_lakehouse.gateway.app import MCP_PATH, build_app
from mcp_lakehouse.gateway.binding import guard, listening, shown
from mcp_lakehouse.gateway.doors import Door, together
from mcp_lakehouse.gateway.limits import HttpLimits

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 3100


def serve(
    doors: Sequence[Door],
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    origins: str = "",
) -> None:
    """Serve MCP and REST until SIGINT or SIGTERM; port 0 takes a free one. The address goes to stderr.

    Either one door, with a token or without, or several with tokens. `origins` (separated by commas) is the setting
    of that name. Raises `NotAllowed` when others could reach it and there is no token, `InvalidInput` for an address
    that cannot be had.
    """
    limits = HttpLimits()
    token = doors[0].token or ""
    with listening(host, port, token=token) as listener:
        bound = int(listener.getsockname()[1])
        named = [origin for origin in origins.split(",") if origin.strip()]
        apps = [
            build_app(door.lake, door.server, Access.of(host, bound, token=door.token or "", origins=named), limits)
            for door in doors
        ]
        app = apps[0] if len(doors) == 1 else together(doors, apps)
        at, guarded = f"http://{shown(host)}:{bound}{MCP_PATH}", guard(token)
        print(f"MCP at {at}, REST beside it ({guarded}); stop with Ctrl-C", file=sys.stderr)
        with _quiet_signals():
            HttpServer(app, limits, lambda: _close(doors)).run(sockets=[listener])


def _close(doors: Sequence[Door]) -> None:
    for door in doors:
        door.lake.close()


class HttpServer(uvicorn.Server):
    """Runs the application; when it stops, short requests end by themselves and long ones with the lake."""

    def __init__(self, app: Starlette, limits: HttpLimits, close: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=limits.connections,
                timeout_graceful_shutdown=limits.shutdown_seconds,
            )
        )
        self._drain_seconds = limits.drain_seconds
        self._close = close

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, let the running ones end, and end what is left."""
        # Streams that clients keep open are cut off; that is no error to tell of.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        async with anyio.create_task_group() as group:
            group.start_soon(self._end_work)
            await super().shutdown(sockets)
            group.cancel_scope.cancel()

    async def _end_work(self) -> None:
        await anyio.sleep(self._drain_seconds)
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._close)


@contextlib.contextmanager
def _quiet_signals() -> Iterator[None]:
    """After its clean stop uvicorn raises the signal again; here that must not end the process with an error."""

    def ignore(_number: int, _frame: FrameType | None) -> None:
        return

    before = {number: signal.signal(number, ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
