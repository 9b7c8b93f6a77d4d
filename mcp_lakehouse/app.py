"""The composition root: a lake, its tracing and its servers, put together here and closed in reverse order."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mcp_lakehouse import __version__, trace
from mcp_lakehouse.commands.console import printable, say
from mcp_lakehouse.errors import InvalidInput, NotFound
from mcp_lakehouse.lakehouse import Lakehouse
from mcp_lakehouse.settings import Settings, profile_tokens, unknown_variables
from mcp_lakehouse.store import open_bucket

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from lakehouse_tools.server import LakehouseServer
    from mcp_lakehouse.gateway.doors import Door

# A worker that will not end, or a bucket that does not answer, must not keep a stopped server alive.
_CLOSE_SECONDS = 5.0


@contextlib.contextmanager
def opened(settings: Settings, *, look: Callable[[Settings], None] | None = None) -> Iterator[Lakehouse]:
    """The lake of these settings, traced as they say; `look` is called before it is opened."""
    # Before the lake, so that a wrong exporter is told at once; spans end when there is a journal for them.
    tracing = trace.configure(settings, version=__version__, sink=lambda spans: lake.journal.spans(spans))
    with contextlib.closing(tracing):
        if look is not None:
            look(settings)
        with Lakehouse.open(settings=settings) as lake:
            yield lake


@contextlib.contextmanager
def opened_for(
    read: Callable[[Sequence[str] | None], Settings], *, make: bool = False, allow: Sequence[str] | None = None
) -> Iterator[Lakehouse]:
    """`opened`, for a command: `read` makes the settings from the folders it may load from.

    Where there is nothing at all, a lake is made, which is told; without `make` that is `NotFound`.
    """
    with opened(read(allow), look=_tell_new if make else _check_there) as lake:
        yield lake


def serve(args: argparse.Namespace, settings: Settings) -> int:
    """Serve over stdio, or over HTTP where an address was given; returns when the client or a signal says so."""
    for variable, instead in unknown_variables().items():
        say(f"note: {printable(variable)} is no setting; {instead}")
    with contextlib.ExitStack() as stack:
        with _without_collecting():
            from lakehouse_tools import build_server

            lake = stack.enter_context(opened(settings))
            server = build_server(lake)
        if args.http is None:
            _serve_stdio(server, settings, stack.close)
        else:
            _serve_http(_doors(lake, server, settings, stack), args, settings, stack.close)
    return 0


def _serve_http(doors: Sequence[Door], args: argparse.Namespace, settings: Settings, close: Callable[[], None]) -> None:
    from mcp_lakehouse.gateway.http import serve as serve_http

    host, port = args.http
    origins = settings.text("origins")
    if args.flight is None:
        serve_http(doors, host, port, origins)
        return
    from mcp_lakehouse.gateway.access import by_token
    from mcp_lakehouse.gateway.flight import serving

    lakes = by_token(*((door.token or "", door.lake) for door in doors))
    flight_host, flight_port = args.flight
    with serving(lakes, flight_host, flight_port, token=doors[0].token or "") as flight:
        serve_http(doors, host, port, origins)
    if not flight.stopped:
        # A client that takes no rows and does not hang up would keep gRPC, and with it this process, for ever.
        close()
        os._exit(0)


def _doors(lake: Lakehouse, server: LakehouseServer, settings: Settings, stack: contextlib.ExitStack) -> list[Door]:
    """The lake behind its own token, and behind that of each profile as the profile sees it."""
    from lakehouse_tools import build_server
    from mcp_lakehouse.gateway.doors import Door

    tokens = {} if settings.text("profile") else profile_tokens()
    whole = settings.text("token").strip()
    if len({whole, *tokens.values()}) < 1 + len(tokens):
        raise InvalidInput("two tokens are the same", hint="give LAKEHOUSE_TOKEN and each LAKEHOUSE_TOKEN_… its own")
    # Once there are tokens of profiles, nobody is let in without one.
    doors = [Door(lake, server, whole or None)] if whole or not tokens else []
    for name, token in tokens.items():
        shown = stack.enter_context(Lakehouse.open(settings=settings.as_profile(name)))
        doors.append(Door(shown, build_server(shown), token))
    return doors


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """No garbage collection while modules load: nothing of theirs is garbage, and looking costs 0.1 s."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _serve_stdio(server: MCPServer[Any], settings: Settings, close: Callable[[], None]) -> None:
    import anyio

    from lakehouse_tools.stdio import serve as serve_stdio

    if sys.stdin is None or sys.stdout is None:
        raise InvalidInput(
            "standard input or output is closed, and a client speaks over both",
            hint="let an MCP client start it (mcp-lakehouse install), or serve over HTTP: serve --http",
        )
    if sys.stdin.isatty():
        say(f"serving {settings.lake} over stdio, waiting for an MCP client to speak (Ctrl-C ends it)")
        say("an MCP client starts this by itself: mcp-lakehouse install")

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(_end_on_signal, close)
            await serve_stdio(server)
            group.cancel_scope.cancel()

    anyio.run(run)


async def _end_on_signal(close: Callable[[], None]) -> None:
    import anyio
    import anyio.to_thread

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            with anyio.move_on_after(_CLOSE_SECONDS):
                await anyio.to_thread.run_sync(close, abandon_on_cancel=True)
            # Calls may still run in threads, which nobody waits for any more.
            os._exit(0)


def _check_there(settings: Settings) -> None:
    place = _empty_place(settings)
    if place is not None:
        raise NotFound(
            f"there is no lake at {place}",
            hint="mcp-lakehouse ingest FILE makes one; --lake or LAKEHOUSE_LAKE names another",
        )


def _tell_new(settings: Settings) -> None:
    place = _empty_place(settings)
    if place is not None:
        say(f"note: there is no lake at {printable(place)} yet; this makes one")


def _empty_place(settings: Settings) -> str | None:
    """Where the lake is to be, if there is nothing yet."""
    bucket = open_bucket(settings.lake, os.environ)
    if next(iter(bucket.list()), None) is not None:
        return None
    return str(bucket.local_path("") or bucket.url)
