"""A large result over Arrow Flight beside reading the same Parquet files in the client: time, and who holds what memory."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psutil

from benchmarks.measure import table
from mcp_lakehouse import Lakehouse

ROWS = int(os.environ.get("BENCH_FLIGHT_ROWS", "10_000_000"))
ROUNDS = 3
# A process of its own for each: its peak memory is that of one way to read.
CLIENT = """
import json, resource, sys, time
way, whole, where = sys.argv[1], sys.argv[2] == "whole", sys.argv[3:]
import pyarrow as pa, pyarrow.dataset as ds, pyarrow.flight as flight
client = flight.connect(where[0]) if way == "flight" else None
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
if way == "flight":
    reader = client.do_get(flight.Ticket(b"FROM rows"))
    rows = reader.read_all().num_rows if whole else sum(chunk.data.num_rows for chunk in reader)
else:
    files = ds.dataset(where)
    rows = files.to_table().num_rows if whole else sum(batch.num_rows for batch in files.to_batches())
taken = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"rows": rows, "seconds": taken, "peak": peak, "base": base}))
"""
UNIT = 1 if sys.platform == "darwin" else 1024


def run(folder: Path) -> str:
    """The Markdown section."""
    files = _made(folder)
    size = sum(file.stat().st_size for file in files)
    ways = [(way, amount) for amount in ("batches", "whole") for way in ("flight", "parquet")]
    seen: dict[tuple[str, str], list[dict[str, float]]] = {way: [] for way in ways}
    peaks: dict[tuple[str, str], int] = dict.fromkeys(ways, 0)
    with _served(folder) as (server, address):
        _client("flight", "batches", [address])
        for _ in range(ROUNDS):
            for way, amount in ways:
                with _watching(server) as peak:
                    where = [address] if way == "flight" else [str(file) for file in files]
                    seen[way, amount].append(_client(way, amount, where))
                peaks[way, amount] = max(peaks[way, amount], peak[0])
    names = {"flight": "Arrow Flight, `FROM rows`", "parquet": "pyarrow.dataset, the same files"}
    amounts = {"batches": "batch by batch", "whole": "as one table"}
    rows = []
    for way, amount in ways:
        seconds = statistics.median(each["seconds"] for each in seen[way, amount])
        client = max(each["peak"] - each["base"] for each in seen[way, amount]) * UNIT / 1e6
        served = f"{peaks[way, amount] / 1e6:.0f}" if way == "flight" else "–"
        rows.append(
            [names[way], amounts[amount], f"{seconds:.2f}", f"{ROWS / seconds / 1e6:.1f}", f"{client:.0f}", served]
        )
    return (
        "### A large result\n\n"
        f"{ROWS:,} rows of five columns, {size / 1e6:.0f} MB as Parquet. Client and server share the machine; the client's "
        "memory is what it grew by, the server's is that of its process and its workers together.\n\n"
        + table(["way", "read", "seconds", "million rows/s", "client, MB", "server and workers, MB"], rows)
    )


def _made(folder: Path) -> list[Path]:
    """A lake with the dataset `rows`, and its data files."""
    source = folder / "rows.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT i AS id, 'person number ' || (hash(i) % 2000000) AS person, (hash(i * 5) % 100000) / 100 AS amount, "
            f"DATE '2026-01-01' + (i % 365)::INTEGER AS day, i % 7 = 0 AS done FROM range({ROWS}) t(i)) TO '{source}'"
        )
    with Lakehouse.open(folder / "lake", allow=[folder]) as lake:
        assert lake.ingest(source).rows_added == ROWS
    source.unlink()
    return sorted((folder / "lake" / "tables" / "rows").glob("*.parquet"))


@contextmanager
def _served(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    command = [sys.executable, "-m", "mcp_lakehouse", "serve", "--lake", str(folder / "lake")]
    with subprocess.Popen(
        [*command, "--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        found = re.search(r"grpc://\S+", process.stderr.readline())
        assert found
        try:
            yield psutil.Process(process.pid), found.group()
        finally:
            process.terminate()


def _client(way: str, amount: str, where: list[str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, way, amount, *where], capture_output=True, text=True, check=True
    )
    answer: dict[str, float] = json.loads(done.stdout)
    assert answer["rows"] == ROWS
    return answer


@contextmanager
def _watching(server: psutil.Process) -> Iterator[list[int]]:
    """The peak memory in bytes of a server and its workers, found while the context lasts."""
    peaks = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            total = 0
            for process in [server, *server.children(recursive=True)]:
                try:
                    # What workers share with the process they were forked from counts once.
                    total += process.memory_full_info().pss
                except psutil.NoSuchProcess:
                    continue
            peaks[0] = max(peaks[0], total)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        done.set()
        watcher.join()
