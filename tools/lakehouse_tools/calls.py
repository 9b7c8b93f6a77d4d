"""How a tool call runs: blocking work off the event loop, cancellation into it, progress out of it, errors as text."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

from lakehouse_tools.budget import error_text
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, LakehouseError

T = TypeVar("T")
Ctx = Context[Any, Any]

# Calls wait for workers, not for a processor: more may wait than can run.
_THREADS = 64
_PROGRESS_SECONDS = 0.2


class Calls:
    """Runs blocking lake work for tools; `failed` is told after each call that failed."""

    def __init__(self, failed: Callable[[], Awaitable[None]]) -> None:
        self._failed = failed
        self._limiter: anyio.CapacityLimiter | None = None

    async def run(self, work: Callable[[CancelToken], T]) -> T:
        """Run `work` as `run_raw` does. Raises `ToolError` with the lake's own message and hint."""
        try:
            return await self.run_raw(work)
        except LakehouseError as error:
            await self._failed()
            raise ToolError(error_text(str(error))) from error

    async def run_raw(self, work: Callable[[CancelToken], T]) -> T:
        """Run `work` in a thread. When the call is cancelled the token is set, which kills its worker process.

        Raises what `work` raises.
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_THREADS)
        token = CancelToken()
        try:
            return await anyio.to_thread.run_sync(partial(work, token), abandon_on_cancel=True, limiter=self._limiter)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(token.cancel)
            raise


def progress_to(ctx: Ctx, token: CancelToken) -> Callable[[float, float, str], None]:
    """A progress callback for the working thread that reports to the client, a few times a second.

    The protocol wants a number that only grows; a load starts again from zero with each of its phases,
    so each begins where the one before it came to.
    """
    last, told, begun, before = 0.0, 0.0, 0.0, 0.0

    def report(done: float, total: float, message: str) -> None:
        nonlocal last, told, begun, before
        if done < before:
            begun = told
        before = done
        now = time.monotonic()
        if now - last < _PROGRESS_SECONDS or token.cancelled or begun + done <= told:
            return
        last, told = now, begun + done
        try:
            anyio.from_thread.run(ctx.report_progress, told, begun + total if total else None, message)
        except (concurrent.futures.CancelledError, RuntimeError) as error:
            # The call was cancelled while it told, or the event loop is gone: the client hung up.
            raise Cancelled("nobody waits for this call any more", hint="nothing was changed") from error

    return report


def client_name(ctx: Ctx) -> str:
    """Who calls: the client's own name for itself, for the record of a change."""
    params = ctx.request_context.session.client_params
    return f"mcp:{params.client_info.name}" if params is not None else "mcp"
