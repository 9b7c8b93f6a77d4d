"""An upsert into a large dataset and the scan after it; many small upserts, then a scan; beside delta-rs in one run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

from benchmarks.measure import interleave, ms, table
from mcp_lakehouse import Lakehouse

ROWS = 1_000_000
UPSERTED = 50_000
COMMITS = 1_000
SMALL = 100
ROUNDS = 5
SCAN = "SELECT count(*), sum(value), max(name) FROM {}"
_UPDATE = "t.id = s.id"


def run(folder: Path, rows: int = ROWS, upserted: int = UPSERTED, commits: int = COMMITS) -> str:
    """The Markdown section; smaller numbers for a look."""
    base = folder / "base.parquet"
    with duckdb.connect() as connection:
        made = f"SELECT i AS id, 'name ' || (i % 9973) AS name, i * 3 % 1009 AS value FROM range({rows}) t(i)"
        connection.execute(f"COPY ({made}) TO '{base}'")
    with Lakehouse.open(folder / "lake", allow=[folder]) as lake:
        lake.ingest(base, dataset="large", key="id")
        large = _large(lake, folder, base, rows, upserted)
        small = _small(lake, folder, base, commits)
    return f"{large}\n\n{small}"


def _large(lake: Lakehouse, folder: Path, base: Path, rows: int, upserted: int) -> str:
    theirs = str(folder / "merged")
    write_deltalake(theirs, pq.read_table(base))
    source = folder / "upsert.parquet"
    step = max(1, rows // upserted)
    # Spread over the whole table; a tenth is new.
    pq.write_table(_content([key * step if key % 10 else rows + key for key in range(upserted)], 0), source)

    def merge() -> None:
        merging = DeltaTable(theirs).merge(pq.read_table(source), _UPDATE, source_alias="s", target_alias="t")
        merging.when_matched_update_all().when_not_matched_insert_all().execute()

    def ours() -> None:
        lake.ingest(source, dataset="large", mode="upsert")

    upserts = interleave({"ours": ours, "merge": merge}, rounds=1, warm_up=0)
    rounds = count()
    scans = interleave(
        {
            "ours": lambda: _scan(lake, "large", next(rounds)),
            "merge": lambda: _their_scan(theirs),
        },
        rounds=ROUNDS,
    )
    laid = lake.catalog.get("large").snapshot.overlay is not None
    began = time.perf_counter()
    lake.compact("large")
    folding = time.perf_counter() - began
    after = interleave({"ours": lambda: _scan(lake, "large", next(rounds))}, rounds=ROUNDS)
    told = [
        ["upsert", ms(upserts["ours"].median), ms(upserts["merge"].median)],
        [
            f"scan after it ({'with' if laid else 'without'} an overlay)",
            ms(scans["ours"].median),
            ms(scans["merge"].median),
        ],
        ["folding", ms(folding), "–"],
        ["scan after that", ms(after["ours"].median), "–"],
    ]
    head = [f"{upserted:,} rows into {rows:,}, ms", "ours", "delta-rs MERGE, DuckDB scan"]
    return f"### Upsert\n\nScans are medians of {ROUNDS} rounds, taking turns.\n\n{table(head, told)}"


def _small(lake: Lakehouse, folder: Path, base: Path, commits: int) -> str:
    lake.ingest(base, dataset="hot", key="id")
    theirs = str(folder / "appended")
    write_deltalake(theirs, pq.read_table(base))
    ours_taken, theirs_taken = [], []
    for number in range(commits):
        content = _content([(number * 37 + n) % 20_000 for n in range(SMALL)], number)
        source = folder / "small.parquet"
        pq.write_table(content, source)
        with _timed(ours_taken):
            lake.ingest(source, dataset="hot", mode="upsert")
        # Its upserts rewrite the table each time; its fastest way to commit is to append.
        with _timed(theirs_taken):
            write_deltalake(theirs, content, mode="append")
    rounds = count()
    scans = interleave(
        {"ours": lambda: _scan(lake, "hot", next(rounds)), "theirs": lambda: _their_scan(theirs)}, rounds=ROUNDS
    )
    tenth = max(1, commits // 10)
    told = [
        [f"one commit, first {tenth}", *(ms(_median(taken[:tenth])) for taken in (ours_taken, theirs_taken))],
        [f"one commit, last {tenth}", *(ms(_median(taken[-tenth:])) for taken in (ours_taken, theirs_taken))],
        ["scan after them", ms(scans["ours"].median), ms(scans["theirs"].median)],
    ]
    head = [f"{commits:,} commits of {SMALL} rows, ms", "ours: upserts", "delta-rs: appends, DuckDB scan"]
    return f"#### Many small commits\n\n{table(head, told)}"


def _content(keys: list[int], number: int) -> pa.Table:
    return pa.table(
        {
            "id": pa.array(keys, pa.int64()),
            "name": [f"upserted {number} {key % 97}" for key in keys],
            "value": pa.array([key % 1013 for key in keys], pa.int64()),
        }
    )


@contextmanager
def _timed(taken: list[float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    taken.append(time.perf_counter() - began)


def _median(taken: list[float]) -> float:
    return sorted(taken)[len(taken) // 2]


def _scan(lake: Lakehouse, dataset: str, number: int) -> None:
    # In new words: a statement asked again is given its kept result.
    lake.sql(f"{SCAN.format(dataset)} -- {number}")


def _their_scan(path: str) -> None:
    files = DeltaTable(path).file_uris()
    with duckdb.connect() as connection:
        connection.execute(SCAN.format(f"read_parquet({files!r}, union_by_name = true)")).fetchall()
