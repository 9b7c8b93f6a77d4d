"""A reader's statements behind a row filter, beside the same statements with that filter written by hand."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import duckdb

from benchmarks.measure import interleave, ms, table
from mcp_lakehouse import Lakehouse

ROWS = 1_000_000
ROUNDS = 9
# By what is shown: the share of the rows, in percent.
SHARES = (1, 10, 50, 90)
STATEMENTS = {
    "aggregate": "SELECT count(*), sum(value), max(name) FROM {} -- {}",
    "group": "SELECT name, count(*), avg(value) FROM {} GROUP BY name ORDER BY 2 DESC, 1 LIMIT 20 -- {}",
    "point": "SELECT * FROM {} WHERE id = 500 -- {}",
}


def run(folder: Path, rows: int = ROWS) -> str:
    """The Markdown section."""
    source, lake_folder = folder / "base.parquet", folder / "lake"
    with duckdb.connect() as connection:
        made = f"SELECT i AS id, i * 7919 % 100 AS part, 'name ' || (i % 997) AS name, i * 3 % 1009 AS value FROM range({rows}) t(i)"
        connection.execute(f"COPY ({made}) TO '{source}'")
    with Lakehouse.open(lake_folder, allow=[folder]) as lake:
        lake.ingest(source, dataset="rows")
    profiles = (
        f'[profiles.p{share}]\ndatasets = ["rows"]\n[profiles.p{share}.restrict.rows]\nwhere = "part < {share}"\n'
        for share in SHARES
    )
    (lake_folder / "lakehouse.toml").write_text("".join(profiles))
    lines = []
    with Lakehouse.open(lake_folder) as lake:
        for share in SHARES:
            with Lakehouse.open(lake_folder, profile=f"p{share}") as reader:
                lines += [_line(lake, reader, share, name) for name in STATEMENTS]
    told = f"{rows:,} rows. Medians of {ROUNDS} rounds, taking turns; the first statement of a profile, which makes its files, is not among them."
    head = ["rows shown", "statement", "profile, ms", "filter by hand, ms", "ratio"]
    return f"### A profile with a row filter\n\n{told}\n\n{table(head, lines)}"


def _line(lake: Lakehouse, reader: Lakehouse, share: int, name: str) -> list[str]:
    statement, rounds = STATEMENTS[name], count()
    by_hand = f"(FROM rows WHERE part < {share})"
    assert reader.sql(statement.format("rows", "x")).rows == lake.sql(statement.format(by_hand, "x")).rows
    # In new words: a statement asked again is given its kept result.
    found = interleave(
        {
            "profile": lambda: reader.sql(statement.format("rows", next(rounds))),
            "hand": lambda: lake.sql(statement.format(by_hand, next(rounds))),
        },
        rounds=ROUNDS,
    )
    ratio = found["profile"].median / found["hand"].median
    return [f"{share} %", name, ms(found["profile"].median), ms(found["hand"].median), f"{ratio:.2f}"]
