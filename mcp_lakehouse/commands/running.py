"""Long calls under a person's hand: Ctrl-C cancels the call itself, and says truly what became of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.commands.console import say

T = TypeVar("T")

# The system may hand a signal to any thread, and that ends no wait of the main one, which alone runs its handler.
_LOOK_SECONDS = 0.1


def interruptible(work: Callable[[CancelToken], T]) -> T:
    """Run `work` in a thread, and cancel it on Ctrl-C.

    Raises what `work` raises: `Cancelled` when it was stopped. Work that was done when the
    interrupt came returns its result, because it holds.
    """
    token = CancelToken()
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work(token))
        except BaseException as error:
            future.set_exception(error)

    # A second Ctrl-C must end the process even if the work does not stop.
    worker = threading.Thread(target=run, daemon=True)
    try:
        worker.start()
        return _outcome(future)
    except KeyboardInterrupt:
        say("stopping …")
        token.cancel()
        return _outcome(future)


def _outcome(future: Future[T]) -> T:
    while not future.done():
        wait([future], timeout=_LOOK_SECONDS)
    return future.result()
