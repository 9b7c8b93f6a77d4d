"""Cancellation that reaches across threads and into worker processes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from mcp_lakehouse.errors import Cancelled


class CancelToken:
    """Set once by the caller's side; work hooks in with `calling` or asks with `check`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hooks: dict[int, Callable[[], None]] = {}
        self._next = 0
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Cancel once: runs every hook that is in force."""
        with self._lock:
            if self._cancelled:
                return
            self._cancelled = True
            hooks = list(self._hooks.values())
        for hook in hooks:
            hook()

    def check(self) -> None:
        """Raise `Cancelled` if it was."""
        if self._cancelled:
            raise Cancelled("the call was cancelled", hint="nothing was changed; call again when you need it")

    @contextlib.contextmanager
    def calling(self, hook: Callable[[], None]) -> Iterator[None]:
        """While inside, `cancel` calls `hook` (at once if it was cancelled before)."""
        with self._lock:
            key, self._next = self._next, self._next + 1
            self._hooks[key] = hook
            late = self._cancelled
        if late:
            hook()
        try:
            yield
        finally:
            with self._lock:
                del self._hooks[key]
