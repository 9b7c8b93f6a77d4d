"""Blocking work for a request: off the event loop, and killed when the client goes away."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.types import Receive

from mcp_lakehouse.cancel import CancelToken

T = TypeVar("T")


class Calls:
    """Runs blocking lake work for HTTP requests."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._limiter: anyio.CapacityLimiter | None = None

    async def run(self, request: Request, work: Callable[[CancelToken], T]) -> T:
        """Run `work` in a thread; the request's body must have been read.

        When the client hangs up or the server stops, the token is cancelled, which kills the worker
        process behind the call. Raises what `work` raises.
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._threads)
        token = CancelToken()
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(_cancel_when_gone, request.receive, token)
            try:
                result = await anyio.to_thread.run_sync(
                    partial(work, token), abandon_on_cancel=True, limiter=self._limiter
                )
            except Exception as error:
                # Kept aside: raised inside, it would leave the task group wrapped in an exception group.
                failure = error
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(token.cancel)
                raise
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return result


async def _cancel_when_gone(receive: Receive, token: CancelToken) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(token.cancel)
