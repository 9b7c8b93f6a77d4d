"""A few workers of one kind, lent out one call at a time, with one always warm for the next caller."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import LimitExceeded
from mcp_lakehouse.worker.process import Worker


class Pool:
    """At most `size` workers at work; a killed one is replaced."""

    def __init__(self, start: Callable[[], Worker], *, size: int, what: str) -> None:
        self._start = start
        self._size = size
        self._what = what
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closed = False
        self._changed = threading.Condition()

    def warm(self) -> None:
        """Have one worker ready; returns at once, the process starts in the background."""
        with self._changed:
            for dead in [worker for worker in self._idle if not worker.alive]:
                self._idle.remove(dead)
                dead.close()
            if not self._idle and not self._closed and len(self._busy) < self._size:
                self._idle.append(self._start())

    @contextlib.contextmanager
    def lend(self, *, timeout_seconds: float, cancel: CancelToken | None = None) -> Iterator[Worker]:
        """A worker for one call. Raises `LimitExceeded` when all stay busy for the whole timeout."""
        worker = self._take(time.monotonic() + timeout_seconds, cancel or CancelToken())
        try:
            # The next caller finds a warm one, and does not wait for this call to end.
            self.warm()
            yield worker
        finally:
            self._give_back(worker)

    def close(self) -> None:
        """Kill all workers."""
        with self._changed:
            self._closed = True
            workers = [*self._idle, *self._busy]
            self._idle.clear()
            self._changed.notify_all()
        for worker in workers:
            worker.close()

    def _take(self, deadline: float, cancel: CancelToken) -> Worker:
        with cancel.calling(self._wake), self._changed:
            while True:
                cancel.check()
                if self._closed:
                    raise LimitExceeded(f"{self._what}: the lake is closed", hint="open it again")
                while self._idle:
                    worker = self._idle.pop()
                    if worker.alive:
                        self._busy.add(worker)
                        return worker
                    worker.close()
                if len(self._busy) < self._size:
                    worker = self._start()
                    self._busy.add(worker)
                    return worker
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise LimitExceeded(
                        f"{self._what}: all {self._size} workers were busy",
                        hint="try again in a moment, or cancel a running call",
                    )

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _give_back(self, worker: Worker) -> None:
        with self._changed:
            self._busy.discard(worker)
            keep = worker.alive and not self._closed and len(self._idle) < self._size
            if keep:
                # Last in, first out: the worker with the warmest caches is used again.
                self._idle.append(worker)
            self._changed.notify_all()
        if not keep:
            worker.close()
            self.warm()
