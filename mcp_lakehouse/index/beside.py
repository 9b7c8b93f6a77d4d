"""Work that another thread may do while this one does something else."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Beside(Generic[T]):
    """Work that begins when a thread is free for it, at the latest when its result is asked for.

    So with all threads busy it takes as long as if there were none.
    """

    def __init__(self, work: Callable[[], T], *, begin: bool = True) -> None:
        """With `begin` false no thread is asked."""
        self._work = work
        self._future: Future[T] | None = _threads().submit(work) if begin else None

    def result(self) -> T:
        """What the work returns; raises what it raises."""
        if self._future is None or self._future.cancel():
            return self._work()
        return self._future.result()


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="beside")
