"""Progress events of a load, about twice a second."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mcp_lakehouse.worker.channel import Channel, ChannelClosed

if TYPE_CHECKING:
    import duckdb

_EVERY_SECONDS = 0.5


class Progress:
    """Sends `{"event": "progress", "done", "total", "message"}`; `total` is in bytes of the sources."""

    def __init__(self, channel: Channel, total: int) -> None:
        self._channel = channel
        self._total = total
        self._last = time.monotonic()
        self._done = 0

    def at(self, done: int, message: str) -> None:
        """Report unless the last report is younger than half a second. Never goes back."""
        now = time.monotonic()
        if now - self._last < _EVERY_SECONDS:
            return
        self._last = now
        self._done = max(self._done, min(done, self._total))
        self._channel.send({"event": "progress", "done": self._done, "total": self._total, "message": message})

    @contextlib.contextmanager
    def during(self, connection: duckdb.DuckDBPyConnection, start: int, span: int, message: str) -> Iterator[None]:
        """While a statement runs on the connection, report its share of `span` bytes from `start` on.

        Nothing else may be sent over the channel meanwhile.
        """
        finished = threading.Event()

        def watch() -> None:
            with contextlib.suppress(ChannelClosed):
                while not finished.wait(_EVERY_SECONDS):
                    percent = max(0.0, connection.query_progress())
                    self.at(start + int(span * percent / 100), message)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            finished.set()
            thread.join()
