"""Searches from many clients while index generations are published and rolled back under them.

Generations are built over two text columns by turns, and each passage says which column it is from: so a result shows
whether all of it comes from the one generation that it names.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from mcp import Client

from tests.proofs.places import Place, empty_place, opened
from tests.proofs.report import Section, table, wrapped
from tests.proofs.serving import Server, answer, call, serving

CLIENTS, SECONDS, SWAPS, ROLLBACKS = 8, 60.0, 30, 10
ROWS = 1_000
# Between the searches of a client: with none they would only queue for the processor.
_PAUSE_SECONDS = 0.1
_COLUMNS = ("day", "night")
_QUERIES = ("otter in the river", "an owl above the barn", "bees and clover", "heron at the weir", "a stork")
_ANIMALS = ("otter", "owl", "bee", "heron", "stork", "lynx", "pike", "wren")
_FACTOR = 2.0
_SLICES = 5


@dataclass(frozen=True)
class Answered:
    """One answer: the generation that it names, and the columns that its passages are from."""

    generation: int
    columns: frozenset[str]


@dataclass
class Outcome:
    """What clients saw: times in seconds, `generations` as answers named them."""

    times: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)
    generations: Counter[int] = field(default_factory=Counter)
    swaps: int = 0
    rollbacks: int = 0

    def percentile(self, share: float) -> float:
        """A percentile of the times, in ms."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000

    def measured(self) -> list[str]:
        """p50, p99 and the longest, in ms."""
        return [f"{self.percentile(share):.0f}" for share in (0.5, 0.99, 1.0)]


def fill(place: Place) -> None:
    """A dataset `t` whose two text columns hold the same animals, each with the column's name; one generation."""
    rows = [f"{n},a {_ANIMALS[n % 8]} seen by day {n},a {_ANIMALS[n % 8]} heard by night {n}" for n in range(ROWS)]
    text = "\n".join(["id,day,night", *rows])
    with opened(place) as lake:
        lake.ingest({"name": "t.csv", "text": f"{text}\n"}, text="day")
        lake.build_index("t", columns="night")
        lake.build_index("t", columns="day")


class Clients:
    """Search from threads, each with a connection of its own, until stopped."""

    def __init__(self, server: Server, count: int, outcome: Outcome) -> None:
        self._server = server
        self._outcome = outcome
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._search, args=(number,)) for number in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _search(self, number: int) -> None:
        with contextlib.closing(self._server.connect()) as connection:
            while not self._stop.wait(_PAUSE_SECONDS):
                number += 1
                body = {"query": _QUERIES[number % len(_QUERIES)], "datasets": ["t"], "k": 10}
                began = time.perf_counter()
                try:
                    found = answer(connection, "/search", body)
                except Exception as error:
                    with self._lock:
                        self._outcome.errors.append(f"{type(error).__name__}: {error}")
                    connection.close()
                    continue
                taken = time.perf_counter() - began
                columns = frozenset(
                    column for hit in found["results"] for column in _COLUMNS if f" by {column} " in hit["text"]
                )
                with self._lock:
                    self._outcome.times.append(taken)
                    self._outcome.answered.append(Answered(found["generations"]["t"], columns))
                    if len(found["results"]) != 10:
                        self._outcome.errors.append(f"{len(found['results'])} hits instead of 10")


class Swaps:
    """Publishes generations over one and the other column by turns, and rolls back."""

    def __init__(self, client: Client, outcome: Outcome) -> None:
        self._client = client
        self._outcome = outcome
        # The column of each generation there is.
        self.made: dict[int, str] = {1: _COLUMNS[0], 2: _COLUMNS[1], 3: _COLUMNS[0]}
        self._column = _COLUMNS[0]

    async def step(self, rollback: bool) -> None:
        """One swap, or one rollback."""
        if rollback:
            report = await call(self._client, "rollback_index", dataset="t")
            self._column = self.made[report["generation"]]
            self._outcome.rollbacks += 1
            return
        self._column = _COLUMNS[1 - _COLUMNS.index(self._column)]
        report = await call(self._client, "build_index", dataset="t", columns=[self._column])
        assert report["published"], report
        self.made[report["generation"]] = self._column
        self._outcome.swaps += 1


def _steps(swaps: int, rollbacks: int) -> list[bool]:
    """The swaps, with the rollbacks (`True`) spread among them."""
    steps = [False] * swaps
    for number in range(rollbacks):
        steps.insert((number + 1) * swaps // (rollbacks + 1) + number, True)
    return steps


async def _measure(
    server: Server, clients: int, seconds: float, steps: Sequence[bool], slices: int
) -> tuple[Outcome, Outcome]:
    """Slices without swaps and slices with them by turns, so that both have the same machine."""
    alone, during = Outcome(), Outcome()
    async with server.mcp() as client:
        swaps = Swaps(client, during)
        each = len(steps) // slices
        for number in range(slices):
            with Clients(server, clients, alone):
                await anyio.sleep(seconds / slices)
            with Clients(server, clients, during):
                began = time.monotonic()
                for place, rollback in enumerate(steps[number * each : (number + 1) * each]):
                    await anyio.sleep(max(0.0, began + seconds / slices * place / each - time.monotonic()))
                    await swaps.step(rollback)
                await anyio.sleep(max(0.0, began + seconds / slices - time.monotonic()))
    for outcome in (alone, during):
        _judge(outcome, swaps.made)
    return alone, during


def _judge(outcome: Outcome, made: Mapping[int, str]) -> None:
    """Note the results whose passages are not from the column of the generation that they name."""
    for each in outcome.answered:
        outcome.generations[each.generation] += 1
        # Without a generation (0) all passages are compared, those of one column too.
        allowed = [frozenset({made[each.generation]})] if each.generation else [frozenset({c}) for c in _COLUMNS]
        if each.columns not in allowed:
            outcome.mixed.append(f"generation {each.generation} with passages of {', '.join(sorted(each.columns))}")


def run(
    place: Place, clients: int, seconds: float, swaps: int, rollbacks: int, slices: int = 1
) -> tuple[Outcome, Outcome]:
    """Without swaps, and with them, each for so many seconds in all."""
    fill(place)
    with serving(place) as server:
        # Everything is loaded once before it is measured.
        for query in _QUERIES:
            server.post("/search", query=query, datasets=["t"])
        return anyio.run(_measure, server, clients, seconds, _steps(swaps, rollbacks), slices)


def prove(kind: str, *, seconds: float = SECONDS) -> Section:
    """The whole proof over a folder or over S3."""
    with tempfile.TemporaryDirectory() as folder, empty_place(kind, Path(folder)) as place:
        before, during = run(place, CLIENTS, seconds, SWAPS, ROLLBACKS, _SLICES)
    for fault in [*during.errors[:5], *during.mixed[:5]]:
        print(f"  {fault}", flush=True)
    ratio = during.percentile(0.99) / before.percentile(0.99)
    text = [
        *wrapped(
            f"{CLIENTS} clients searched a server over HTTP, {ROWS:,} rows, for {seconds:.0f} s with nothing beside them "
            f"and for {seconds:.0f} s while an MCP client of the same server built and published {during.swaps} "
            f"generations and rolled back {during.rollbacks} times, over one and the other of two columns by turns; both "
            f"in {_SLICES} parts, one after the other. A "
            "result is mixed where a passage is not from the column of the generation that the result names; generation "
            "0 is an exact comparison, of one column, between a change of columns and the generation that follows."
        ),
        *table(
            ("", "searches", "p50 ms", "p99 ms", "longest ms", "errors", "mixed results", "generations seen"),
            [
                ("alone", len(before.times), *before.measured(), len(before.errors), len(before.mixed), len(before.generations)),
                ("during", len(during.times), *during.measured(), len(during.errors), len(during.mixed), len(during.generations)),
            ],
        ),
        "",
        f"p99 during is {ratio:.2f} of p99 alone; the gate is {_FACTOR:g}.",
    ]  # fmt: skip
    holds = not (before.errors or during.errors or during.mixed) and ratio <= _FACTOR and during.swaps == SWAPS
    return Section(f"Searches during swaps: {kind}", text, holds)
