"""A process of the concurrency proof: prints `ready`, waits for a line, works, and prints what it did as JSON.

`write NUMBER COUNT` commits COUNT times: pairs of entries that add up to nothing are appended to `entries`, and money is
moved between the writer's own accounts by an upsert of two rows of `accounts`. `read` looks until a second line comes.
`step COUNT` appends COUNT numbers to `steps`, with pauses; `watch COUNT` looks until it has seen the last of them.
Times are those of the machine's monotonic clock, which its processes share.
"""

from __future__ import annotations

import json
import random
import select
import sys
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import Conflict

ACCOUNTS = 10
MONEY = 100
# A call gives up after a bounded number of lost races and says so; so often it is made again.
_CALLS = 50
_COMPACTED_COMMITS = 25
_STEP_SECONDS = 0.2
_LOOK_SECONDS = 0.25


def account(writer: int, number: int) -> int:
    """The key of an account."""
    return writer * ACCOUNTS + number


class Writer:
    """One writer, and its own book of what it did."""

    def __init__(self, lake: Lakehouse, number: int) -> None:
        self._lake = lake
        self._number = number
        self._random = random.Random(number)
        self.balances = {account(number, each): MONEY for each in range(ACCOUNTS)}
        self.versions: dict[str, list[int]] = {"entries": [], "accounts": []}
        self.told_to_try_again = 0
        self.compactions = 0

    def append(self, commit: int) -> None:
        """Two entries that add up to nothing."""
        amount = self._random.randrange(1, 100)
        name = self._number * 1_000_000 + commit * 2
        self._ingest("entries", f"id,amount\n{name},{amount}\n{name + 1},{-amount}\n")

    def transfer(self) -> None:
        """Move money from one of its accounts to another."""
        one, other = self._random.sample(sorted(self.balances), 2)
        amount = self._random.randrange(1, 50)
        self.balances[one] -= amount
        self.balances[other] += amount
        rows = "".join(f"{each},{self.balances[each]},{len(self.versions['accounts'])}\n" for each in (one, other))
        self._ingest("accounts", f"id,balance,turn\n{rows}", mode="upsert")

    def compact(self) -> None:
        """Make few files of many, whoever writes meanwhile."""
        try:
            self._lake.compact("entries")
            self.compactions += 1
        except Conflict:
            self.told_to_try_again += 1

    def _ingest(self, dataset: str, text: str, mode: str = "append") -> None:
        for _ in range(_CALLS):
            try:
                report = self._lake.ingest({"name": f"{dataset}.csv", "text": text}, mode=mode)
            except Conflict:
                self.told_to_try_again += 1
            else:
                assert not report.unchanged
                self.versions[dataset].append(report.version)
                return
        raise AssertionError(f"{_CALLS} calls lost every race")


def write(lake: Lakehouse, number: str, count: str) -> dict[str, Any]:
    """Commit so many times."""
    writer = Writer(lake, int(number))
    for commit in range(int(count)):
        if commit % 2:
            writer.transfer()
        else:
            writer.append(commit)
        if number == "0" and commit % _COMPACTED_COMMITS == _COMPACTED_COMMITS - 1:
            writer.compact()
    return {
        "balances": writer.balances,
        "versions": writer.versions,
        "again": writer.told_to_try_again,
        "compactions": writer.compactions,
    }


class Reader:
    """Looks at the newest version and at a random older one, and notes what does not add up."""

    def __init__(self, lake: Lakehouse, writers: int) -> None:
        self._lake = lake
        self._money = [writers * ACCOUNTS, writers * ACCOUNTS * MONEY]
        self._newest = {"entries": -1, "accounts": -1}
        self.seen: dict[str, set[int]] = {"entries": set(), "accounts": set()}
        self.looks = 0
        self.faults: list[str] = []

    def look(self) -> None:
        """Look once at each."""
        for name, sums in (("entries", "count(*) % 2, sum(amount)"), ("accounts", "count(*), sum(balance)")):
            newest = self._check(name, sums, "")
            if newest < self._newest[name]:
                self.faults.append(f"{name} went back from version {self._newest[name]} to {newest}")
            self._newest[name] = newest
            self._check(name, sums, f" AT (VERSION => {random.randint(0, newest)})")

    def _check(self, name: str, sums: str, at: str) -> int:
        result = self._lake.sql(f"SELECT {sums} FROM {name}{at}", detailed=True)
        (version,) = (result.datasets or {}).values()
        expected = [0, 0] if name == "entries" else self._money
        if result.rows != [expected]:
            self.faults.append(f"{name} at version {version}: {result.rows[0]}, not {expected}")
        self.seen[name].add(version)
        self.looks += 1
        return version


def read(lake: Lakehouse, writers: str) -> dict[str, Any]:
    """Look until a line comes."""
    reader = Reader(lake, int(writers))
    while not select.select([sys.stdin], [], [], _LOOK_SECONDS)[0]:
        reader.look()
    reader.look()
    return {
        "looks": reader.looks,
        "faults": reader.faults,
        "seen": {name: sorted(versions) for name, versions in reader.seen.items()},
    }


def step(lake: Lakehouse, count: str) -> list[float]:
    """Append one number after the other; returns when each commit was done."""
    times = []
    for number in range(1, int(count) + 1):
        time.sleep(_STEP_SECONDS)
        lake.ingest({"name": "steps.csv", "text": f"n\n{number}\n"})
        times.append(time.monotonic())
    return times


def watch(lake: Lakehouse, count: str) -> list[float]:
    """When each number was seen first."""
    times: list[float] = []
    while len(times) < int(count):
        (newest,) = lake.sql("SELECT max(n) FROM steps").rows[0]
        assert isinstance(newest, int)
        times += [time.monotonic()] * (newest - len(times))
    return times


_COMMANDS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {"write": write, "read": read, "step": step, "watch": watch}
)


def main(what: str, *arguments: str) -> None:
    """Run one of the commands."""
    with Lakehouse.open() as lake:
        lake.sql("SELECT 1")
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(_COMMANDS[what](lake, *arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
