"""A few workers of one kind, lent out one call at a time, with one always warm for the next caller."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import LimitExceeded, WorkerDied
from mcp_lakehouse.worker.process import Worker

# A call that lasts longer than this gets a spare beside it; a short one is back before a spare could start.
SPARE_AFTER_SECONDS = 0.1
# After a cancelled call the processor is to be quiet: what is only nice to have starts later.
REPLACE_AFTER_SECONDS = 2.5
_WANTED = 2
# A call on a worker that is still starting is slow for that reason, and needs no spare beside it.
_STARTING_SECONDS = 1.0


class Pool:
    """At most `size` workers at work, and one to spare for the next caller; a killed one is replaced."""

    def __init__(
        self,
        start: Callable[[], Worker],
        *,
        size: int,
        what: str,
        spare_after_seconds: float = SPARE_AFTER_SECONDS,
    ) -> None:
        self._start_worker = start
        self._size = size
        self._what = what
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._stale: set[Worker] = set()
        self._closed = False
        self._changed = threading.Condition()
        self._spare_after_seconds = spare_after_seconds
        self._timer: threading.Timer | None = None
        self._due = 0.0
        self._quiet_until = 0.0

    def warm(self) -> None:
        """Have one worker ready; returns at once, the process starts in the background."""
        with self._changed:
            for dead in [worker for worker in self._idle if not worker.alive]:
                self._idle.remove(dead)
                dead.close()
            if not self._idle and not self._closed and len(self._busy) < self._size:
                with contextlib.suppress(WorkerDied):
                    self._idle.append(self._start_worker())

    @contextlib.contextmanager
    def lend(self, *, timeout_seconds: float, cancel: CancelToken | None = None) -> Iterator[Worker]:
        """A worker for one call. Raises `LimitExceeded` when all stay busy for the whole timeout."""
        worker = self._take(time.monotonic() + timeout_seconds, cancel or CancelToken())
        try:
            self._top_up_after(self._spare_after_seconds)
            yield worker
        finally:
            self._give_back(worker)

    def renew(self) -> None:
        """Let every worker go, with all it remembers: idle ones now, the others when their call is over."""
        with self._changed:
            self._stale |= self._busy
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()

    def close(self) -> None:
        """Kill all workers."""
        with self._changed:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
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
                    # A confined process may read the folder that was there, whatever its path is now.
                    if worker.alive and worker.reads_what_is_there():
                        self._busy.add(worker)
                        return worker
                    worker.close()
                if len(self._busy) < self._size:
                    worker = self._start_worker()
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
            fresh = worker not in self._stale
            self._stale.discard(worker)
            keep = fresh and worker.alive and not self._closed and len(self._idle) < self._size
            if keep:
                # Last in, first out: the worker with the warmest caches is used again.
                self._idle.append(worker)
            self._changed.notify_all()
            spare = bool(self._idle)
            if not keep:
                self._quiet_until = time.monotonic() + REPLACE_AFTER_SECONDS
        if not keep:
            worker.close()
        if keep or spare:
            self._top_up_after(self._spare_after_seconds)
        else:
            self.warm()

    def _top_up_after(self, seconds: float) -> None:
        due = time.monotonic() + seconds
        with self._changed:
            enough = self._idle and len(self._idle) + len(self._busy) >= min(_WANTED, self._size)
            if self._closed or enough or (self._timer is not None and self._due <= due):
                return
            if self._timer is not None:
                # One that waits for the processor to have been quiet; a call at work wants its spare sooner.
                self._timer.cancel()
            self._due = due
            self._timer = threading.Timer(seconds, self._top_up, (due,))
            self._timer.daemon = True
            self._timer.start()

    def _top_up(self, due: float) -> None:
        """Start what is missing: a spare where all are at work, a second one where there is only one."""
        with self._changed:
            if self._due != due:
                # It fired while another one took its place.
                return
            self._timer = None
            now = time.monotonic()
            quiet_for = self._quiet_until - now
            starting_for = _STARTING_SECONDS - min((now - worker.started for worker in self._busy), default=now)
            few = len(self._idle) + len(self._busy) < min(_WANTED, self._size)
            if not self._closed and (few or not self._idle) and len(self._busy) < self._size:
                if self._idle and quiet_for > 0:
                    self._top_up_after(quiet_for)
                elif starting_for > 0:
                    self._top_up_after(starting_for)
                else:
                    # Who needs one is told why there is none.
                    with contextlib.suppress(WorkerDied):
                        self._idle.append(self._start_worker())
