"""One immutable block of vectors: nearest neighbours under any filter, by whichever way is cheapest and sound."""

from __future__ import annotations

import time
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.index.graph import Graph
from mcp_lakehouse.index.plan import MEASURED, Costs, Plan, Question, Way, choose, effort, kind_of, probe_depth
from mcp_lakehouse.index.vectors import (
    Floats,
    Positions,
    Quantised,
    Scored,
    as_query,
    checked,
    cosines,
    nearest_exact,
    nearest_quantised,
    top,
)

# Two cosines of the same vectors, summed in another order, differ by less.
_SAME = 1e-5
_CHECKED = 8_192
_EFFORTS = (100, 150, 200, 300, 400, 600, 800, 1_200, 1_600)


@dataclass(frozen=True, slots=True)
class Found:
    """Rows by falling cosine, at most k of them, and how they were found."""

    positions: Positions
    cosines: Floats
    plan: Plan


@dataclass(frozen=True, slots=True)
class Recall:
    """The share of the true k nearest that was found, and how long a search took, in milliseconds."""

    recall: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class _Allowed:
    """The rows that may be found; both `None`: all of them."""

    count: int
    mask: NDArray[np.bool_] | None = None
    positions: Positions | None = None

    def as_positions(self) -> Positions | None:
        return np.flatnonzero(self.mask) if self.positions is None and self.mask is not None else self.positions

    def as_mask(self, total: int) -> NDArray[np.bool_] | None:
        if self.mask is not None or self.positions is None:
            return self.mask
        mask = np.zeros(total, np.bool_)
        mask[self.positions] = True
        return mask


class Block:
    """Vectors numbered from 0, with a quantised copy and a graph of them where there are such.

    `vectors` is float32 (n, d), each row of length one or zero; it may be a memory map. Rows are checked here unless
    a quantised copy or a graph, whose making checks them, is given. Searching is safe from many threads. `effort` is
    how many candidates the graph needs for ten rows (`needed_effort`); `costs` are those of this machine.
    """

    def __init__(
        self,
        vectors: Floats,
        quantised: Quantised | None = None,
        graph: Graph | None = None,
        *,
        effort: int = 100,
        costs: Costs = MEASURED,
    ) -> None:
        if vectors.ndim != 2 or vectors.dtype != np.float32:
            raise InvalidInput(
                f"vectors are a float32 matrix, not {vectors.dtype} of shape {vectors.shape}",
                hint="build the index again",
            )
        if quantised is not None and quantised.rows.shape != vectors.shape:
            raise InvalidInput("the quantised copy is of other vectors", hint="build the index again")
        if graph is not None and (graph.count, graph.dimensions) != vectors.shape:
            raise InvalidInput("the graph is of other vectors", hint="build the index again")
        if quantised is None and graph is None:
            for start in range(0, len(vectors), _CHECKED):
                checked(vectors[start : start + _CHECKED], start=start)
        self._vectors = vectors
        self._quantised = quantised
        self._graph = graph
        self._effort = effort
        self._costs = costs

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def dimensions(self) -> int:
        """Numbers of a vector."""
        return int(self._vectors.shape[1])

    def with_effort(self, effort: int) -> Block:
        """The same block with another effort; nothing is copied or checked again."""
        other = copy(self)
        other._effort = effort
        return other

    def search(
        self,
        query: NDArray[np.generic],
        k: int,
        *,
        allowed: NDArray[np.generic] | None = None,
        exact: bool = False,
        near: Positions | None = None,
    ) -> Found:
        """The k rows nearest to the query; fewer where fewer are allowed.

        `allowed` is a bool for each row, or positions; `exact` takes the vectors themselves whatever it costs; `near`
        is what the method of that name gave for this query. A zero query (a text without a known word) is near to
        nothing: nothing is found. Raises `InvalidInput`.
        """
        if k < 1:
            raise InvalidInput(f"k is {k}", hint="ask for at least one row")
        vector = as_query(query, self.dimensions)
        rows = self._rows(allowed)
        question = self._question(rows.count, k if vector.any() else 0, exact=exact)
        way, (positions, scores) = self._serve(vector, question, rows, near)
        return Found(positions, scores, Plan(kind_of(way), rows.count, len(self)))

    def near(self, query: NDArray[np.generic], k: int, share: float) -> Positions | None:
        """The nearest of all rows, nearest first: those a search for k would look at that lets such a share pass.

        `None` where it would not look at them. Raises `InvalidInput`.
        """
        vector = as_query(query, self.dimensions)
        question = self._question(int(share * len(self)), k if vector.any() else 0)
        if self._graph is None or choose(question) != "probe":
            return None
        return self._graph.nearest(vector, probe_depth(question)[1], None)

    def _question(self, matching: int, k: int, *, exact: bool = False) -> Question:
        return Question(
            matching=matching,
            total=len(self),
            k=min(k, matching),
            dimensions=self.dimensions,
            quantised=self._quantised is not None,
            graph=self._graph is not None,
            exact=exact,
            effort=self._effort,
            costs=self._costs,
        )

    def cosines(self, query: NDArray[np.generic], positions: NDArray[np.integer]) -> Floats:
        """The true cosines of these rows, in their order; raises `InvalidInput`."""
        return cosines(self._vectors, as_query(query, self.dimensions), self._in_range(positions))

    def _serve(self, query: Floats, question: Question, rows: _Allowed, near: Positions | None) -> tuple[Way, Scored]:
        way = choose(question)
        found: Scored | None = None
        if way == "probe":
            found, passing = self._probe(query, question, rows, near)
            way = "graph" if found is not None else choose(question, passing=passing)
        if found is None and way == "graph":
            found = self._walk(query, question, rows)
            if found is None:
                way = choose(replace(question, graph=False))
        return way, found if found is not None else self._every(query, question, rows, way)

    def _probe(
        self, query: Floats, question: Question, rows: _Allowed, near: Positions | None
    ) -> tuple[Scored | None, float]:
        """Look at the nearest of all rows: the answer if enough of them match, else the share that does."""
        graph, mask = self._graph, rows.as_mask(len(self))
        assert graph is not None
        assert mask is not None
        depth, candidates = probe_depth(question)
        if near is None or len(near) < candidates:
            near = graph.nearest(query, candidates, None)
        if near is None:
            return None, 0.0
        near = near[:depth]
        passing = near[mask[near]]
        # The far half of what a probe sees is less sure, so that the answer has to lie in the near one.
        if np.count_nonzero(mask[near[: depth // 2]]) >= question.k:
            return self._scored(query, passing, question.k), 1.0
        return None, len(passing) / len(near)

    def _walk(self, query: Floats, question: Question, rows: _Allowed) -> Scored | None:
        graph, mask = self._graph, rows.as_mask(len(self))
        assert graph is not None
        near = graph.nearest(query, effort(question), None if mask is None else mask.tobytes())
        return None if near is None or len(near) < question.k else self._scored(query, near, question.k)

    def _scored(self, query: Floats, near: Positions, k: int) -> Scored:
        # True cosines: another way to the same row gives the same score.
        near = np.sort(near[: 2 * k])
        scores = cosines(self._vectors, query, near)
        best = top(scores, k)
        return near[best], scores[best]

    def _every(self, query: Floats, question: Question, rows: _Allowed, way: Way) -> Scored:
        if way == "nothing":
            return np.empty(0, np.int64), np.empty(0, np.float32)
        positions = rows.as_positions()
        if way in ("quantised gather", "quantised scan"):
            assert self._quantised is not None
            scan = way == "quantised scan"
            return nearest_quantised(self._vectors, self._quantised, query, question.k, positions, scan=scan)
        return nearest_exact(self._vectors, query, question.k, positions, scan=way == "scan")

    def _rows(self, allowed: NDArray[np.generic] | None) -> _Allowed:
        if allowed is None:
            return _Allowed(len(self))
        if allowed.dtype == np.bool_:
            if allowed.shape != (len(self),):
                raise InvalidInput(
                    f"the filter has shape {allowed.shape}, the index {len(self):,} rows", hint="build the index again"
                )
            mask = np.ascontiguousarray(allowed, np.bool_)
            return _whole(_Allowed(int(np.count_nonzero(mask)), mask=mask), len(self))
        positions = self._in_range(allowed)
        if len(positions) > 1 and not (positions[1:] > positions[:-1]).all():
            positions = np.unique(positions)
        return _whole(_Allowed(len(positions), positions=positions), len(self))

    def _in_range(self, positions: NDArray[np.generic]) -> Positions:
        if positions.ndim != 1 or (len(positions) and not np.issubdtype(positions.dtype, np.integer)):
            raise InvalidInput(
                f"positions are whole numbers in one row, not {positions.dtype} of shape {positions.shape}",
                hint="build the index again",
            )
        found = np.ascontiguousarray(positions, np.int64)
        if len(found) and (int(found.min()) < 0 or int(found.max()) >= len(self)):
            raise InvalidInput(f"a position lies outside of the {len(self):,} rows", hint="build the index again")
        return found


def measure_recall(block: Block, sample: Iterable[NDArray[np.generic]], k: int = 10) -> Recall:
    """Compare the block's own way with the exact one, over sample queries (rows of a matrix, or any vectors).

    A row counts as found when its cosine is not below the k-th of the exact answer: of equal ones any will do.
    """
    queries = list(sample)
    return _compared(block, queries, _bars(block, queries, k), k)


def needed_effort(block: Block, sample: Iterable[NDArray[np.generic]], *, recall: float = 0.995, k: int = 10) -> int:
    """The least effort of those tried with which the block reaches this recall of sample queries.

    Where the graph would take more than the quantised copy does, the copy serves, and the recall is one.
    """
    queries = list(sample)
    bars = _bars(block, queries, k)
    for tried in _EFFORTS[:-1]:
        if _compared(block.with_effort(tried), queries, bars, k).recall >= recall:
            return tried
    return _EFFORTS[-1]


def _bars(block: Block, queries: list[NDArray[np.generic]], k: int) -> list[Floats]:
    return [block.search(query, k, exact=True).cosines for query in queries]


def _compared(block: Block, queries: list[NDArray[np.generic]], truths: list[Floats], k: int) -> Recall:
    taken: list[float] = []
    found = wanted = 0
    for query, truth in zip(queries, truths, strict=True):
        began = time.perf_counter()
        answer = block.search(query, k).cosines
        taken.append((time.perf_counter() - began) * 1000)
        wanted += len(truth)
        found += int(np.count_nonzero(answer >= truth[-1] - _SAME)) if len(truth) else 0
    p50, p99 = np.percentile(taken, (50, 99)) if taken else (0.0, 0.0)
    return Recall(found / wanted if wanted else 1.0, float(p50), float(p99))


def _whole(rows: _Allowed, total: int) -> _Allowed:
    return _Allowed(total) if rows.count == total else rows
