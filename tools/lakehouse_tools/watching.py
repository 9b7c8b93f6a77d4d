"""Noticing what other processes change in the lake, for as long as somebody here wants to hear of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread

from mcp_lakehouse.errors import LakehouseError

_LOG = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0
# Where a look takes long (many datasets on object storage), the next one waits so many times longer.
_PAUSE_OF_A_LOOK = 10.0
# Whoever just asked to be told is not yet known to be waiting.
_GRACE_SECONDS = 5.0

Heads = Mapping[str, int | None]


class Watch:
    """Looks again and again at the newest versions, in a thread that ends when nobody waits.

    `heads` gives versions by dataset, `head` that of one; `tell` takes the name of one that changed, `waiting` says
    whether anybody would hear it.
    """

    def __init__(
        self,
        heads: Callable[[], Heads],
        head: Callable[[str], int | None],
        tell: Callable[[str], Coroutine[Any, Any, None]],
        waiting: Callable[[], bool],
    ) -> None:
        self._heads = heads
        self._head = head
        self._tell = tell
        self._waiting = waiting
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._until = 0.0
        self._known: dict[str, int | None] | None = None
        self._told: set[str] = set()

    async def begin(self) -> None:
        """Have every change from now on told. Called before somebody learns that he will be."""
        with self._lock:
            self._until = time.monotonic() + _GRACE_SECONDS
            if self._thread is not None:
                return
        known = await anyio.to_thread.run_sync(self._look)
        run = partial(self._run, anyio.lowlevel.current_token())
        with self._lock:
            if self._thread is None:
                self._known = known
                self._thread = threading.Thread(target=run, name="lakehouse-watch", daemon=True)
                self._thread.start()

    async def changed_here(self, name: str) -> None:
        """This process changed a dataset and is about to tell so: that version is no news any more."""
        if self._thread is None:
            return
        head = await anyio.to_thread.run_sync(self._head, name)
        with self._lock:
            self._told.add(name)
            if self._known is not None:
                self._known[name] = head

    def _look(self) -> dict[str, int | None] | None:
        """The versions now; `None` where the lake cannot be asked."""
        try:
            return dict(self._heads())
        except (LakehouseError, OSError):
            return None

    def _run(self, token: anyio.lowlevel.EventLoopToken) -> None:
        pause = _EVERY_SECONDS
        while self._goes_on():
            time.sleep(pause)
            began = time.monotonic()
            try:
                changed = self._changed()
                pause = max(_EVERY_SECONDS, _PAUSE_OF_A_LOOK * (time.monotonic() - began))
                for name in changed:
                    anyio.from_thread.run(self._tell, name, token=token)
            except Exception as error:
                # Most often the event loop has ended. Whoever asks to be told next begins anew.
                _LOG.debug("nobody is told of changes any more: %s", error)
                with self._lock:
                    self._thread = None
                return

    def _changed(self) -> list[str]:
        with self._lock:
            self._told.clear()
        found = self._look()
        with self._lock:
            known, self._known = self._known, found if found is not None else self._known
            if found is None or known is None:
                return []
            # Told while this look was under way, which may have seen them as they were before.
            found.update({name: known.get(name) for name in self._told})
            return [name for name in {**known, **found} if known.get(name) != found.get(name)]

    def _goes_on(self) -> bool:
        with self._lock:
            if self._waiting() or time.monotonic() < self._until:
                return True
            self._thread = None
            return False
