"""What a long statement costs others, and what it costs after it is cancelled."""

from __future__ import annotations

import time
from pathlib import Path

import anyio
import psutil

from benchmarks.client import call, connect
from benchmarks.measure import Timing, ms, table

ENDLESS = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b"
PROBES = 40
ROUNDS = 5


async def run(folder: Path) -> str:
    """The Markdown section."""
    pings: list[float] = []
    ones: list[float] = []
    burnt: list[float] = []
    async with connect(folder / "lake", folder) as client:
        await call(client, "sql", statement="SELECT 1")
        for number in range(ROUNDS):
            async with anyio.create_task_group() as tasks:
                scope = anyio.CancelScope()

                async def endless(scope: anyio.CancelScope = scope) -> None:
                    with scope:
                        await client.call_tool("sql", {"statement": ENDLESS})

                tasks.start_soon(endless)
                await anyio.sleep(0.5)
                for probe in range(PROBES // ROUNDS):
                    began = time.perf_counter()
                    await client.list_resources()
                    middle = time.perf_counter()
                    # In new words: a statement asked again is given its kept result.
                    await call(client, "sql", statement=f"SELECT 1 -- {number} {probe}")
                    pings.append(middle - began)
                    ones.append(time.perf_counter() - middle)
                scope.cancel()
            await anyio.sleep(0.05)
            before = _cpu()
            await anyio.sleep(2)
            burnt.append(_cpu() - before)
    ping, one = Timing(tuple(pings)), Timing(tuple(ones))
    rows = [
        ["a protocol call during it, ms (median / worst)", f"{ms(ping.median)} / {ms(max(pings))}"],
        ["SELECT 1 during it, ms (median / worst)", f"{ms(one.median)} / {ms(max(ones))}"],
        [
            "CPU-seconds in the 2 s after the cancel (median / worst)",
            f"{Timing(tuple(burnt)).median:.3f} / {max(burnt):.3f}",
        ],
    ]
    return "### A long statement, and cancelling it\n\n" + table(["", ""], rows)


def _cpu() -> float:
    """CPU seconds so far of the server and all its workers (children of this process)."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
            total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total
