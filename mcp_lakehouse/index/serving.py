"""Which generation of a dataset serves: looked up at most once a second, changed by publishing and rolling back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from mcp_lakehouse import trace
from mcp_lakehouse.catalog.catalog import timestamp
from mcp_lakehouse.errors import InvalidInput, NotFound
from mcp_lakehouse.index.generation import Generation, Generations, Publication

_POINTER_SECONDS = 1.0


class Serving:
    """Safe for several threads. `is_local`: looking costs nothing.

    `pinned` gives the generation that serves whatever is published; one that is not there, or was not let through,
    changes nothing.
    """

    def __init__(
        self, dataset: str, generations: Generations, *, is_local: bool, pinned: Callable[[], int | None]
    ) -> None:
        self._dataset = dataset
        self._generations = generations
        self._is_local = is_local
        self._pinned = pinned
        # Who publishes holds the first while storage takes its time, who looks the second; nobody waits for them.
        self._changing = threading.RLock()
        self._looking = threading.Lock()
        self._number: int | None = None
        self._looked = float("-inf")
        self.last: Generation | None = None

    def generation(self) -> Generation | None:
        """The generation that serves, `None` where none was built; `last` is the one that was given last."""
        last, pinned = self.last, self._pinned()
        if pinned is not None and (last is None or last.number != pinned):
            found = self._generations.get(self._dataset, pinned)
            if found is not None and found.published:
                last = self.last = found
        if pinned is not None and last is not None:
            return last
        number = self._pointed()
        if number is None:
            return None
        if last is None or last.number != number:
            last = self.last = self._generations.get(self._dataset, number)
        return last

    def rollback(self, who: str, spec: str) -> tuple[int, int]:
        """Let the generation before the present one serve again; returns (that one, the one before).

        `spec`: the model that is set, if one is. Raises `NotFound` without an older one, `InvalidInput` for one of
        another model.
        """
        with self._changing:
            present = self._generations.current(self._dataset)
            published = [each for each in self._generations.all(self._dataset) if each.published]
            older = [each for each in published if present is not None and each.number < present]
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
            target = older[-1]
            if spec and target.recipe.spec != spec:
                raise InvalidInput(
                    f"generation {target.number} of {self._dataset!r} was built with {target.recipe.spec}, and the "
                    f"setting embedder is {spec}: nobody could search it by meaning",
                    hint=f"set LAKEHOUSE_EMBEDDER={target.recipe.spec}, then roll back",
                )
            self.publish("rollback_index", target.number, who)
            return target.number, present

    def publish(self, operation: str, number: int, who: str) -> None:
        """Let a generation serve. `operation` is that of a `Publication`."""
        with self._changing:
            made = self._generations.get(self._dataset, number)
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
            # After a look that began before.
            with self._looking:
                self.last, self._number, self._looked = made, number, time.monotonic()

    def _pointed(self) -> int | None:
        if self._is_local:
            return self._generations.current(self._dataset)
        never = self._looked == float("-inf")
        if time.monotonic() - self._looked > _POINTER_SECONDS and self._looking.acquire(blocking=never):
            try:
                if time.monotonic() - self._looked > _POINTER_SECONDS:
                    self._number = self._generations.current(self._dataset)
                    self._looked = time.monotonic()
            finally:
                self._looking.release()
        return self._number
