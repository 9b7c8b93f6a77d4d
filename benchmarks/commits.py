"""A thousand commits of a hundred rows, then a scan, before and after compaction."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

from benchmarks.measure import Timing, interleave, ms, table
from mcp_lakehouse import Lakehouse

COMMITS = 1_000
ROWS = 100
SCAN = "SELECT count(*), sum(value), max(name) FROM small"


def run(folder: Path) -> str:
    """The Markdown section."""
    taken: list[float] = []
    with Lakehouse.open(folder / "lake", allow=[folder]) as lake:
        for commit in range(COMMITS):
            first = commit * ROWS
            text = "id,name,value\n" + "".join(
                f"{i},name {i % 77},{i * 3 % 1009}\n" for i in range(first, first + ROWS)
            )
            began = time.perf_counter()
            lake.ingest({"text": text, "name": "small.csv"}, dataset="small")
            taken.append(time.perf_counter() - began)
        rounds = count()
        before = interleave({"scan": lambda: _scan(lake, next(rounds))}, rounds=5, warm_up=0)["scan"]
        began = time.perf_counter()
        lake.compact("small")
        compacting = time.perf_counter() - began
        after = interleave({"scan": lambda: _scan(lake, next(rounds))}, rounds=5, warm_up=0)["scan"]
    first, last = Timing(tuple(taken[:100])), Timing(tuple(taken[-100:]))
    rows = [
        ["one ingest of 100 rows, first 100 / last 100 (median, ms)", f"{ms(first.median)} / {ms(last.median)}"],
        ["all commits, s", f"{sum(taken):.1f}"],
        ["scan before: first / warm, ms", f"{ms(before.seconds[0])} / {ms(before.best)}"],
        ["compaction, ms", ms(compacting)],
        ["scan after: first / warm, ms", f"{ms(after.seconds[0])} / {ms(after.best)}"],
    ]
    return f"### {COMMITS:,} commits of {ROWS} rows\n\n" + table(["", ""], rows)


def _scan(lake: Lakehouse, number: int) -> None:
    # In new words: a statement asked again is given its kept result.
    row = lake.sql(f"{SCAN} -- {number}").rows[0]
    assert row[0] == COMMITS * ROWS
