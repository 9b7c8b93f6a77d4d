"""`sql` through MCP over stdio beside the same statements in bare DuckDB on plain Parquet files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
from mcp import Client

from benchmarks.client import call, connect, connect_bare
from benchmarks.measure import Timing, ms, table

ROWS = 10_000_000
DIMENSION_ROWS = 100_000
ROUNDS = 31
QUICK_ROUNDS = 200

STATEMENTS = {
    "scan": "SELECT sum(amount), avg(quantity), max(note) FROM fact WHERE quantity > 3",
    "group-by": "SELECT store, count(*) AS n, sum(amount) AS total FROM fact GROUP BY store ORDER BY total DESC LIMIT 10",
    "join": "SELECT region, sum(amount) FROM fact JOIN stores USING (store) GROUP BY region ORDER BY 2 DESC",
    "point look-up": "SELECT * FROM fact WHERE id = 7654321",
}
SMALLEST, COUNT = "SELECT 1", "SELECT count(*) FROM million"
BARE = "a bare tool that returns the count(*)"
AGAIN = "count(*) on 1M rows, asked again"
TRANSPORT = "SELECT 1, in new words (transport)"
QUICK = {BARE: COUNT, TRANSPORT: SMALLEST, AGAIN: COUNT, "count(*) on 1M rows, in new words": COUNT}


def make_data(folder: Path) -> None:
    """Seeded Parquet files: a fact table, a dimension, and a table of a million rows."""
    connection = duckdb.connect()
    connection.execute("SELECT setseed(0.42)")
    select = (
        "SELECT i AS id, (hash(i) % 100000)::BIGINT AS store, round(random() * 500, 2) AS amount, "
        "(hash(i * 7) % 20)::INTEGER AS quantity, 'note ' || (hash(i * 3) % 5000) AS note, "
        "TIMESTAMPTZ '2026-01-01 00:00:00Z' + INTERVAL (i) SECOND AS at FROM range({rows}) t(i)"
    )
    options = "(FORMAT parquet, COMPRESSION zstd)"
    connection.execute(f"COPY ({select.format(rows=ROWS)}) TO '{folder}/fact.parquet' {options}")
    connection.execute(f"COPY ({select.format(rows=1_000_000)}) TO '{folder}/million.parquet' {options}")
    connection.execute(
        f"COPY (SELECT i AS store, 'region ' || (i % 12) AS region FROM range({DIMENSION_ROWS}) t(i)) "
        f"TO '{folder}/stores.parquet' {options}"
    )


async def run(folder: Path) -> str:
    """The Markdown section."""
    make_data(folder)
    bare = duckdb.connect()
    bare.execute("SET parquet_metadata_cache = true")
    for name in ("fact", "stores", "million"):
        bare.execute(f"CREATE VIEW {name} AS FROM read_parquet('{folder}/{name}.parquet')")
    async with connect(folder / "lake", folder) as client:
        for name in ("fact", "stores", "million"):
            await call(client, "ingest", source=str(folder / f"{name}.parquet"))
        result = await client.call_tool("sql", {"statement": COUNT})
        async with connect_bare(result) as floor:
            clients = [floor if name == BARE else client for name in QUICK]
            quick = await _rounds(clients, bare, QUICK, QUICK_ROUNDS)
        timed = await _rounds([client] * len(STATEMENTS), bare, STATEMENTS, ROUNDS)
    transport = quick[TRANSPORT]["mcp"].median
    rows = []
    for name, timing in timed.items():
        ours, theirs = timing["mcp"].median, timing["bare"].median
        ratios = [f"{ours / theirs:.2f}", f"{(ours - transport) / theirs:.2f}"]
        rows.append([name, ms(ours), ms(theirs), *ratios, ms(timing["again"].median)])
    head = ["10M rows", "sql over MCP, ms", "bare DuckDB, ms", "ratio", "ratio without transport", "asked again, ms"]
    quick_rows = [
        [name, ms(timing["mcp"].median), ms(timing["mcp"].percentile(0.99)), ms(timing["bare"].median)]
        for name, timing in quick.items()
    ]
    return (
        f"### SQL\n\nMedians of {ROUNDS} rounds, taking turns; the same statements, warm. A statement that is asked again "
        f"over the same versions is given its kept result, so each round asks in new words (a comment).\n\n"
        f"{table(head, rows)}\n\n" + table(["over stdio", "p50, ms", "p99, ms", "bare DuckDB p50, ms"], quick_rows)
    )


async def _rounds(
    clients: Sequence[Client], bare: duckdb.DuckDBPyConnection, statements: Mapping[str, str], rounds: int
) -> dict[str, dict[str, Timing]]:
    """Each statement through its client and in bare DuckDB, all taking turns in every round."""
    seconds: dict[str, dict[str, list[float]]] = {name: {"mcp": [], "bare": [], "again": []} for name in statements}
    for number in range(rounds + 2):
        for client, (name, statement) in zip(clients, statements.items(), strict=True):
            same = statement
            if name not in (BARE, AGAIN):
                statement = f"{statement} -- {number}"
            began = time.perf_counter()
            await call(client, "sql", statement=statement)
            middle = time.perf_counter()
            bare.execute(statement).fetchall()
            end = time.perf_counter()
            await call(client, "sql", statement=same)
            if number >= 2:
                seconds[name]["again"].append(time.perf_counter() - end)
                seconds[name]["mcp"].append(middle - began)
                seconds[name]["bare"].append(end - middle)
    return {name: {kind: Timing(tuple(taken)) for kind, taken in each.items()} for name, each in seconds.items()}
