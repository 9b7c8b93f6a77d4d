"""Hybrid search with filters through the lake, beside LanceDB, over the same vectors and texts.

Vectors are made beforehand for both, those of the queries too, so that neither embeds anything while it is timed.
`LAKEHOUSE_BENCH_VECTORS` and `LAKEHOUSE_BENCH_MILLION` mean what they do for `vectors`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.embedded import Corpus, Floats, corpus, perturbed
from benchmarks.measure import Timing, table
from benchmarks.vectors import AREAS, COUNT, DRAWN, SHARES, Filter, Rows, with_columns
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.llm.embedder import default_spec

K = 10
ASKED = 40
# So many questions in a row for each, as if it served alone: one call of the other empties its caches.
TURN = 10
# Both are warm: so many other questions were asked before, under each of these filters.
OTHERS = 200
WARM_UP = [f"draw < {DRAWN // share} AND id >= 0" for share in (10, 1_000)]
# Of the last of them, so many at either end say how much was won by it.
_ENDS = 20


class Remembering:
    """An embedder that knows the vector of every text it will be asked for."""

    def __init__(self, base: Corpus) -> None:
        self.spec = os.environ.get("LAKEHOUSE_EMBEDDER") or default_spec()
        self.model = "remembered"
        self.dimensions = int(base.vectors.shape[1])
        self.share, self.floor = 0.5, 0.0
        self._vectors: dict[str, Floats] = dict(zip(base.texts, base.vectors, strict=True))
        self._vectors |= dict(zip(base.asked, base.queries, strict=True))

    def embed(self, texts: Sequence[str], **_: object) -> Floats:
        """The vectors of known texts; none for a piece of one that was cut in two."""
        none = np.zeros(self.dimensions, np.float32)
        return np.stack([self._vectors.get(text, none) for text in texts])


def run(folder: Path) -> str:
    """The Markdown sections."""
    base = corpus(int(os.environ.get("LAKEHOUSE_BENCH_VECTORS", COUNT)))
    sections = [_section(base, folder / "first")]
    if os.environ.get("LAKEHOUSE_BENCH_MILLION"):
        sections.append(_section(perturbed(base, 10), folder / "million"))
    return "\n\n".join(sections)


def _section(base: Corpus, folder: Path) -> str:
    rows = with_columns(base)
    folder.mkdir(parents=True)
    source = folder / "texts.parquet"
    _write(rows, source)
    peer = _peer(rows, folder / "lance")
    with Lakehouse.open(folder / "lake", allow=[folder]) as lake:
        embedder: Any = Remembering(base)
        lake._indexes._embedders[embedder.spec] = embedder
        lake.ingest(source, dataset="texts", text=["text"])
        warming = [_warmed_up(lake, peer, base, where) for where in WARM_UP][-1]
        first, last = (1000 * float(np.median(each)) for each in (warming[:_ENDS], warming[-_ENDS:]))
        lines = [_line(lake, peer, rows, share) for share in (*SHARES, None)]
    head = [
        "rows that match", "served by", "new filter, p50 ms", "p99 ms", "filter asked before, p50 ms", "p99 ms",
        "LanceDB p50 ms", "p99 ms", "new / LanceDB", "asked before / LanceDB",
    ]  # fmt: skip
    return (
        f"### Hybrid search with a filter: {len(base.vectors):,} × {base.vectors.shape[1]}\n\n"
        f"SQL filter, vectors, keywords, fusion and the rows of {K} hits, without embedding the query; {base.source}. "
        f"LanceDB: IVF_HNSW_SQ and its own full-text index, reciprocal rank fusion, indices on the filter's columns. "
        f"Both were asked {OTHERS} other questions before, under a filter of 10 % and then one of 0.1 %, each in "
        f"alternation (of the latter ours took {first:.0f} ms p50 for the first {_ENDS}, {last:.0f} for the last {_ENDS}), and take turns of {TURN} questions. "
        "Each question is asked once, of both and under this filter, before it is timed. A new filter is the same one in "
        "words that were never sent; the filters of a turn are alike.\n\n"
    ) + table(head, lines)


def _warmed_up(lake: Lakehouse, peer: Callable[[str, Floats, str], int], base: Corpus, where: str) -> list[float]:
    """Asks both other questions under a filter; gives the seconds of ours."""
    seconds = []
    chosen = slice(ASKED, ASKED + OTHERS)
    for text, vector in zip(base.asked[chosen], base.queries[chosen], strict=True):
        seconds += _timed([partial(lake.search, text, "texts", where, K)], warm_up=False)
        peer(text, vector, where)
    return seconds


def _line(lake: Lakehouse, peer: Callable[[str, Floats, str], int], rows: Rows, share: float | None) -> list[str]:
    base = rows.corpus
    ours: list[float] = []
    theirs: list[float] = []
    fresh: list[float] = []
    plan = ""
    for start in range(0, ASKED, TURN):
        mine, other, new = [], [], []
        for number in range(start, start + TURN):
            area = int(rows.far[number])
            chosen = (
                Filter("area", area) if share is None else Filter("" if share == 1 else "draw", round(share * DRAWN))
            )
            text, vector, where = base.asked[number], base.queries[number], chosen.where if chosen.column else ""
            mine.append(partial(lake.search, text, "texts", where or None, K))
            other.append(partial(peer, text, vector, where))
            # The same in other words, for a condition that was asked before is remembered.
            new.append(partial(lake.search, text, "texts", f"{where} -- {number}" if where else None, K))
        plan = plan or mine[0]().plan["texts"].rsplit("; ", 1)[-1].split(" over")[0]
        for calls, seconds, warm_up in ((mine, ours, True), (other, theirs, True), (new, fresh, False)):
            seconds += _timed(calls, warm_up=warm_up)
    found = [Timing(tuple(seconds)) for seconds in (fresh, ours, theirs)]
    name = f"the farthest of {AREAS} areas" if share is None else f"{share * 100:g} %"
    times = [f"{each * 1000:.1f}" for timing in found for each in (timing.median, timing.percentile(0.99))]
    return [name, plan, *times, *(f"{each.median / found[-1].median:.2f}" for each in found[:2])]


def _timed(calls: Sequence[Callable[[], object]], *, warm_up: bool) -> list[float]:
    """Seconds of each call; with `warm_up` all were made once before."""
    if warm_up:
        for call in calls:
            call()
    seconds = []
    for call in calls:
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return seconds


def _write(rows: Rows, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"id": np.arange(len(rows.draw)), "text": rows.corpus.texts, "draw": rows.draw, "area": rows.area}
    pq.write_table(pa.table(columns), path)


def _peer(rows: Rows, folder: Path) -> Callable[[str, Floats, str], int]:
    import lancedb
    import pyarrow as pa
    from lancedb.rerankers import RRFReranker

    vectors = rows.corpus.vectors
    listed = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    columns = {
        "id": pa.array(np.arange(len(vectors))),
        "vector": listed,
        "text": pa.array(rows.corpus.texts),
        "draw": pa.array(rows.draw),
        "area": pa.array(rows.area),
    }
    made: Any = lancedb.connect(str(folder)).create_table("texts", data=pa.table(columns))
    made.create_index(
        metric="cosine",
        vector_column_name="vector",
        index_type="IVF_HNSW_SQ",
        num_partitions=1,
        m=16,
        ef_construction=200,
    )
    for column in ("draw", "area"):
        made.create_scalar_index(column)
    made.create_fts_index("text")
    reranker = RRFReranker()

    def search(text: str, vector: Floats, where: str) -> int:
        words = "".join(letter if letter.isalnum() else " " for letter in text)
        asked = (
            made.search(query_type="hybrid", vector_column_name="vector", fts_columns="text").vector(vector).text(words)
        )
        asked = asked.distance_type("cosine").rerank(reranker).limit(K)
        if where:
            asked = asked.where(where, prefilter=True)
        return len(asked.select(["id", "text", "draw", "area"]).to_arrow())

    return search
