"""Ingest of one CSV and one Parquet file beside DuckDB's own COPY to Parquet on the same file."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from benchmarks.measure import interleave, ms, table
from mcp_lakehouse import Lakehouse

ROWS = 5_000_000
ROUNDS = 5


def run(folder: Path) -> str:
    """The Markdown section."""
    csv, parquet = folder / "events.csv", folder / "events.parquet"
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE events AS SELECT i AS id, 'user' || (hash(i) % 200000) AS person, "
        "round((hash(i * 5) % 100000) / 100, 2) AS amount, DATE '2026-01-01' + (i % 365)::INTEGER AS day, "
        f"'some words about event ' || (hash(i * 11) % 9000) AS note FROM range({ROWS}) t(i)"
    )
    connection.execute(f"COPY events TO '{csv}' (HEADER)")
    connection.execute(f"COPY events TO '{parquet}' (FORMAT parquet)")
    connection.close()
    rows = []
    for source, reader in ((csv, "read_csv"), (parquet, "read_parquet")):
        with Lakehouse.open(folder / "lake", allow=[folder]) as lake:
            # The loader process of a server that runs is there already.
            lake.ingest({"text": "a\n1\n", "name": "warm.csv"})

            def ours(lake: Lakehouse = lake, source: Path = source) -> None:
                name = f"events_{source.suffix[1:]}"
                report = lake.ingest(source, dataset=name)
                assert report.rows_added == ROWS
                # The next round must load again: the same bytes would be recognised.
                shutil.rmtree(folder / "lake" / "tables" / name)
                lake.catalog.forget(name)

            def bare(source: Path = source, reader: str = reader) -> None:
                with duckdb.connect() as fresh:
                    fresh.execute(f"COPY (FROM {reader}('{source}')) TO '{folder}/bare.parquet' (FORMAT parquet)")

            timing = interleave({"ours": ours, "bare": bare}, rounds=ROUNDS)
        megabytes = source.stat().st_size / 1e6
        mine, theirs = timing["ours"].median, timing["bare"].median
        rows.append(
            [f"{source.suffix[1:].upper()}, {megabytes:.0f} MB", ms(mine), ms(theirs), f"{mine / theirs:.2f}",
             f"{megabytes / mine:.0f} MB/s"]
        )  # fmt: skip
    head = [f"{ROWS:,} rows", "ingest, ms", "DuckDB COPY, ms", "ratio", "ingest speed"]
    return f"### Ingest\n\nMedians of {ROUNDS} rounds, taking turns.\n\n{table(head, rows)}"
