"""Work that another thread may do while this one does something else."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Beside(Generic[T]):
    """Work that begins when a thread is free for it, at the latest when its result is asked for, which is done once.

    So without a free thread it takes as long as if there were no other one. Nothing of it goes on after the block.
    """

    def __init__(self, work: Callable[[], T], *, begin: bool = True) -> None:
        """With `begin` false no thread is asked."""
        self._work = work
        self._future: Future[T] | None = None
        # No more threads may be had, as at the end of the program.
        with contextlib.suppress(RuntimeError):
            self._future = _threads().submit(work) if begin else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._future is not None and not self._future.cancel():
            wait([self._future])

    def result(self) -> T:
        """What the work returns; raises what it raises."""
        if self._future is None or self._future.cancel():
            return self._work()
        return self._future.result()


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="beside")
