"""Spans on their way out: which attributes may leave, and the exporters that `trace` asks for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

# A collector that is gone must not hold up the end of a process.
CLOSE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A finished span as the lake keeps it: ids in hexadecimal, times in UTC, attributes already allowed out."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    started_at: datetime
    ended_at: datetime
    duration_ms: float
    status: str
    attributes: Mapping[str, object]


class Tracing:
    """What `configure` set up."""

    def __init__(self, shutdowns: Sequence[Callable[[], None]]) -> None:
        self._shutdowns = shutdowns

    def close(self) -> None:
        """Send what is waiting, for at most `CLOSE_SECONDS` in all, and stop."""
        closing = [threading.Thread(target=shutdown, daemon=True) for shutdown in self._shutdowns]
        for thread in closing:
            thread.start()
        deadline = time.monotonic() + CLOSE_SECONDS
        for thread in closing:
            thread.join(max(0.0, deadline - time.monotonic()))
