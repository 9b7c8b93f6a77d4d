"""Which generation of a dataset serves: looked up at most once a second, changed by publishing and rolling back."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from mcp_lakehouse import trace
from mcp_lakehouse.catalog.catalog import timestamp
from mcp_lakehouse.errors import NotFound
from mcp_lakehouse.index.generation import Generation, Generations, Publication

_POINTER_SECONDS = 1.0


class Serving:
    """Safe for several threads. `is_local`: looking costs nothing. `pinned` serves whatever is published."""

    def __init__(self, dataset: str, generations: Generations, *, is_local: bool, pinned: int | None) -> None:
        self._dataset = dataset
        self._generations = generations
        self._is_local = is_local
        self._pinned = pinned
        # Held for a moment only, whatever else of the index is being made.
        self._lock = threading.RLock()
        self._number: int | None = None
        self._looked = float("-inf")
        self.last: Generation | None = None

    def generation(self) -> Generation | None:
        """The generation that serves, `None` where none was built; `last` is the one that was given last."""
        with self._lock:
            number = self._pinned if self._pinned is not None else self._pointed()
            if number is None:
                return None
            if self.last is None or self.last.number != number:
                self.last = self._generations.get(self._dataset, number)
            return self.last

    def rollback(self, who: str) -> tuple[int, int]:
        """Let the generation before the present one serve again; returns (that one, the one before)."""
        with self._lock:
            present = self._generations.current(self._dataset)
            published = [each.number for each in self._generations.all(self._dataset) if each.published]
            older = [number for number in published if present is not None and number < present]
            if present is None:
                raise NotFound(
                    f"no generation of {self._dataset!r} has been built yet: all its passages are searched exactly",
                    hint=f"build_index(dataset={self._dataset!r}) builds one",
                )
            if not older:
                raise NotFound(
                    f"{self._dataset!r} has no older generation to go back to",
                    hint="system.generations lists those there are",
                )
            self.publish("rollback_index", older[-1], who)
            return older[-1], present

    def publish(self, operation: str, number: int, who: str) -> None:
        """Let a generation serve. `operation` is that of a `Publication`."""
        with self._lock:
            self._generations.publish(
                self._dataset,
                Publication(
                    operation=operation,
                    generation=number,
                    previous=self._generations.current(self._dataset),
                    at=timestamp(datetime.now(UTC)),
                    who=who,
                    trace_id=trace.current_trace_id() or "",
                ),
            )
            self._looked = float("-inf")

    def _pointed(self) -> int | None:
        if self._is_local or time.monotonic() - self._looked > _POINTER_SECONDS:
            self._number = self._generations.current(self._dataset)
            self._looked = time.monotonic()
        return self._number
