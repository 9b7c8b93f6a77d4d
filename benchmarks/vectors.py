"""Nearest neighbours: building, searching and filtering a hundred thousand vectors, beside LanceDB and the memory.

`LAKEHOUSE_BENCH_VECTORS` sets another number of vectors, `LAKEHOUSE_BENCH_MILLION=1` adds a part with a million.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import psutil  # type: ignore[import-untyped]  # it has no types
from numpy.typing import NDArray

from benchmarks.embedded import Corpus, Floats, corpus, perturbed
from benchmarks.measure import Timing, ms, table
from mcp_lakehouse.index.block import Block, needed_effort
from mcp_lakehouse.index.graph import GraphParameters, build_graph, open_graph
from mcp_lakehouse.index.vectors import Quantised, open_quantised, quantise

COUNT = 100_000
K = 10
ASKED = 300
ASKED_WITH_FILTER = 60
TUNED_WITH = 200
SHARES = (1.0, 0.5, 0.1, 0.01, 0.001, 0.0001)
# `draw` is uniform below this, so that `draw < n` matches a known share; `area` is one of so many regions.
DRAWN = 1_000_000
AREAS = 20
BANDWIDTH_BYTES = 400_000_000
_SAME = 1e-5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows whose `column` is below (or, for an area, equal to) `value`; `column` "" lets all pass."""

    column: str
    value: int

    @property
    def where(self) -> str:
        """As SQL."""
        return f"{self.column} {'=' if self.column == 'area' else '<'} {self.value}"


class Contender(Protocol):
    """Something that finds the positions of the nearest rows under a filter."""

    def search(self, query: Floats, k: int, chosen: Filter) -> NDArray[np.int64]:
        """Positions, best first."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Vectors with what filters are about; `far` gives for each query the area that is farthest from it."""

    corpus: Corpus
    draw: NDArray[np.int64]
    area: NDArray[np.int64]
    far: NDArray[np.int64]

    def mask(self, chosen: Filter) -> NDArray[np.bool_] | None:
        """The rows that match; `None`: all."""
        if not chosen.column:
            return None
        return self.area == chosen.value if chosen.column == "area" else self.draw < chosen.value


class Ours:
    """Our block, built and opened from its files; the comparison that makes the filter's mask is part of a search."""

    def __init__(self, rows: Rows, folder: Path) -> None:
        self._rows = rows
        vectors = rows.corpus.vectors
        self.build_seconds, graph = _timed(
            lambda: build_graph(vectors, folder / "graph", GraphParameters(), identity="bench")
        )
        self.quantise_seconds, copy = _timed(lambda: quantise(vectors, folder / "copy", identity="bench"))
        del graph, copy
        self.bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        before = psutil.Process().memory_info().rss
        self.open_seconds, opened = _timed(lambda: _open(folder, vectors))
        self.memory = psutil.Process().memory_info().rss - before
        # By queries that are not asked again below.
        self.tune_seconds, self.effort = _timed(lambda: needed_effort(opened, rows.corpus.queries[-TUNED_WITH:]))
        self.block = opened.with_effort(self.effort)

    def search(self, query: Floats, k: int, chosen: Filter) -> NDArray[np.int64]:
        """Positions, best first."""
        return self.block.search(query, k, allowed=self._rows.mask(chosen)).positions

    def plan(self, query: Floats, chosen: Filter) -> str:
        """How it would be served."""
        return self.block.search(query, K, allowed=self._rows.mask(chosen)).plan.kind


class Lance:
    """LanceDB from its files: HNSW over 8-bit vectors, scored again as ours are, indices on the filter's columns, filters before the search."""

    def __init__(self, rows: Rows, folder: Path) -> None:
        import lancedb
        import pyarrow as pa

        vectors = rows.corpus.vectors
        listed = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
        columns = {
            "id": pa.array(np.arange(len(vectors))),
            "vector": listed,
            "draw": pa.array(rows.draw),
            "area": pa.array(rows.area),
        }
        self._table: Any = lancedb.connect(str(folder)).create_table("vectors", data=pa.table(columns))
        self.build_seconds, _ = _timed(self._index)
        self.bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    def _index(self) -> None:
        self._table.create_index(
            metric="cosine",
            vector_column_name="vector",
            index_type="IVF_HNSW_SQ",
            num_partitions=1,
            m=16,
            ef_construction=200,
        )
        for column in ("draw", "area"):
            self._table.create_scalar_index(column)

    def search(self, query: Floats, k: int, chosen: Filter) -> NDArray[np.int64]:
        """Positions, best first."""
        asked = (
            self._table.search(query, vector_column_name="vector")
            .distance_type("cosine")
            .select(["id", "_distance"])
            .limit(k)
            .refine_factor(4)
        )
        if chosen.column:
            asked = asked.where(chosen.where, prefilter=True)
        found: NDArray[np.int64] = asked.to_arrow()["id"].to_numpy()
        return found


@dataclass(frozen=True, slots=True)
class Score:
    """How fast, and what share of the true nearest."""

    timing: Timing
    recall: float

    @property
    def cells(self) -> list[str]:
        """p50, p99 in ms, recall."""
        timing = self.timing
        return [f"{timing.median * 1000:.2f}", f"{timing.percentile(0.99) * 1000:.2f}", f"{self.recall:.4f}"]


def run(folder: Path) -> str:
    """The Markdown sections."""
    count = int(os.environ.get("LAKEHOUSE_BENCH_VECTORS", COUNT))
    base = corpus(count)
    sections = [_section(base, folder / "first")]
    if os.environ.get("LAKEHOUSE_BENCH_MILLION"):
        sections.append(_section(perturbed(base, 10), folder / "million"))
    return "\n\n".join(sections)


def _section(base: Corpus, folder: Path) -> str:
    rows = with_columns(base)
    ours = Ours(rows, folder / "ours")
    lance = Lance(rows, folder / "lance")
    head = f"### Nearest neighbours: {len(base.vectors):,} × {base.vectors.shape[1]}\n\nVectors: {base.source}.\n\n"
    return head + _built(rows, ours, lance, folder) + "\n\n" + _filtered(rows, ours, lance)


def _built(rows: Rows, ours: Ours, lance: Lance, folder: Path) -> str:
    """One row for each way that needs no filter, and the memory's own speed."""
    vectors, none = rows.corpus.vectors, Filter("", 0)
    copy = open_quantised(folder / "ours" / "copy", count=len(vectors), dimensions=vectors.shape[1], identity="bench")
    by_copy = Block(vectors, copy)
    planned, scan, peer = measured(
        rows, [ours, _Alone(by_copy), lance], [(query, none) for query in rows.corpus.queries[:ASKED]]
    )
    exact = [_timed(partial(ours.block.search, query, K, exact=True))[0] for query in rows.corpus.queries[:30]]
    bandwidth = measured_bandwidth()
    lines = [
        [f"as planned: {ours.plan(rows.corpus.queries[0], none)}", *planned.cells],
        ["quantised, scored again", *scan.cells],
        ["exact", ms(Timing(tuple(exact)).median), ms(max(exact)), "1"],
        ["LanceDB IVF_HNSW_SQ", *peer.cells],
        ["limit of reading all vectors once", ms(vectors.nbytes / bandwidth), "", ""],
        ["limit of reading the quantised copy once", ms(vectors.nbytes / 4 / bandwidth), "", ""],
    ]
    told = (
        f"Graph built in {ours.build_seconds:.1f} s, quantised copy in {ours.quantise_seconds:.1f} s, "
        f"its candidates ({ours.effort} for ten rows) chosen by measured recall in {ours.tune_seconds:.1f} s "
        f"(LanceDB's index: {lance.build_seconds:.1f} s); {ours.bytes / 1e6:.0f} MB on disk "
        f"(LanceDB with its vectors: {lance.bytes / 1e6:.0f} MB); verified and opened in {ms(ours.open_seconds)} ms, "
        f"{ours.memory / 1e6:.0f} MB of memory. One thread reads memory at {bandwidth / 1e9:.1f} GB/s.\n\n"
    )
    return told + table([f"k = {K}, one query at a time", "p50 ms", "p99 ms", f"recall@{K}"], lines)


def _filtered(rows: Rows, ours: Ours, lance: Lance) -> str:
    head = ["rows that match", "way", "p50 ms", "p99 ms", "recall", "LanceDB p50 ms", "p99 ms", "recall"]
    queries = rows.corpus.queries[:ASKED_WITH_FILTER]
    lines = []
    for share in SHARES:
        chosen = Filter("" if share == 1 else "draw", round(share * DRAWN))
        lines.append(_line(f"{share * 100:g} %", rows, ours, lance, [(query, chosen) for query in queries]))
    far = [(query, Filter("area", int(area))) for query, area in zip(queries, rows.far, strict=False)]
    lines.append(_line(f"the farthest of {AREAS} areas", rows, ours, lance, far))
    return table(head, lines)


def _line(name: str, rows: Rows, ours: Ours, lance: Lance, asked: Sequence[tuple[Floats, Filter]]) -> list[str]:
    mine, peer = measured(rows, [ours, lance], asked)
    return [name, ours.plan(*asked[0]), *mine.cells, *peer.cells]


class _Alone:
    """A block without filters."""

    def __init__(self, block: Block) -> None:
        self._block = block

    def search(self, query: Floats, k: int, chosen: Filter) -> NDArray[np.int64]:
        assert not chosen.column
        return self._block.search(query, k).positions


def with_columns(base: Corpus) -> Rows:
    """Random draws, and areas: each row belongs to the nearest of some rows."""
    random = np.random.default_rng(4)
    centres = base.vectors[random.choice(len(base.vectors), AREAS, replace=False)]
    area = np.concatenate(
        [(base.vectors[at : at + 50_000] @ centres.T).argmax(axis=1) for at in range(0, len(base.vectors), 50_000)]
    )
    far = (base.queries @ centres.T).argmin(axis=1)
    return Rows(base, random.integers(0, DRAWN, len(base.vectors)), area, far)


def measured(rows: Rows, contenders: Sequence[Contender], asked: Sequence[tuple[Floats, Filter]]) -> list[Score]:
    """Each question goes to each contender in turn; the truth is every cosine there is."""
    seconds: list[list[float]] = [[] for _ in contenders]
    found, wanted = [0] * len(contenders), 0
    for query, chosen in asked[:3]:
        for contender in contenders:
            contender.search(query, K, chosen)
    for query, chosen in asked:
        scores = rows.corpus.vectors @ query
        mask = rows.mask(chosen)
        matching = scores if mask is None else scores[mask]
        last = np.sort(matching)[-K:][:1]
        wanted += min(K, len(matching))
        for place, contender in enumerate(contenders):
            taken, positions = _timed(partial(contender.search, query, K, chosen))
            seconds[place].append(taken)
            found[place] += int(np.count_nonzero(scores[positions] >= last - _SAME)) if len(last) else 0
    return [
        Score(Timing(tuple(each)), hits / wanted if wanted else 1.0) for each, hits in zip(seconds, found, strict=True)
    ]


def measured_bandwidth() -> float:
    """Bytes a second that one thread reads at best, summing an array that no cache holds."""
    array = np.ones(BANDWIDTH_BYTES // 8)
    return array.nbytes / min(_timed(array.sum)[0] for _ in range(7))


def _open(folder: Path, vectors: Floats) -> Block:
    count, dimensions = vectors.shape
    copy: Quantised | None = open_quantised(folder / "copy", count=count, dimensions=dimensions, identity="bench")
    graph = open_graph(folder / "graph", count=count, dimensions=dimensions, identity="bench")
    assert copy is not None
    assert graph is not None
    return Block(vectors, copy, graph)


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    value = work()
    return time.perf_counter() - began, value
