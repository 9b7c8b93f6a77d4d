"""A CSV of 2 GB: time and peak memory of the server and its workers together."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import duckdb
import psutil

from benchmarks.measure import table
from mcp_lakehouse import Lakehouse

BYTES = 2_000_000_000


def run(folder: Path) -> str:
    """The Markdown section."""
    csv = folder / "large.csv"
    rows = 24_000_000
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT i AS id, 'person number ' || (hash(i) % 2000000) AS person, (hash(i * 5) % 100000) / 100 AS amount, "
            "DATE '2026-01-01' + (i % 365)::INTEGER AS day, 'a sentence of some words about event ' || hash(i * 11) AS note "
            f"FROM range({rows}) t(i)) TO '{csv}' (HEADER)"
        )
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            total = 0
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                try:
                    # What workers share with the process they were forked from counts once.
                    total += process.memory_full_info().pss
                except psutil.NoSuchProcess:
                    continue
            peak = max(peak, total)

    with Lakehouse.open(folder / "lake", allow=[folder]) as lake:
        watcher = threading.Thread(target=watch)
        watcher.start()
        began = time.perf_counter()
        report = lake.ingest(csv)
        taken = time.perf_counter() - began
        done.set()
        watcher.join()
    assert report.rows_added == rows
    size = csv.stat().st_size
    return "### A large CSV\n\n" + table(
        ["file", "rows", "seconds", "MB/s", "peak memory of all processes, GB"],
        [[f"{size / 1e9:.2f} GB", f"{rows:,}", f"{taken:.1f}", f"{size / 1e6 / taken:.0f}", f"{peak / 1e9:.2f}"]],
    )
