"""Many writers and many readers on one dataset, each a process of its own: nothing is lost and nothing is torn."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.commands.soundness import examine_all
from tests.proofs.places import Place, empty_place, opened
from tests.proofs.report import Section, table, wrapped
from tests.proofs.together_process import ACCOUNTS, MONEY, account

WRITERS, READERS, COMMITS = 8, 8, 200
STEPS = 40
NOTICED_SECONDS = 1.0
_ENTRY_VERSIONS_CHECKED = 25
_TOGETHER = 40


@dataclass
class Outcome:
    """What came of it."""

    commits: int = 0
    again: int = 0
    compactions: int = 0
    looks: int = 0
    versions_seen: int = 0
    versions_checked: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def run(place: Place, writers: int, readers: int, commits: int) -> Outcome:
    """Let them work, and compare what the lake holds with what each writer says it did."""
    with opened(place) as lake:
        rows = "".join(f"{account(w, a)},{MONEY},-1\n" for w in range(writers) for a in range(ACCOUNTS))
        lake.ingest({"name": "accounts.csv", "text": f"id,balance,turn\n{rows}"}, key="id")
        lake.ingest({"name": "entries.csv", "text": "id,amount\n-1,5\n-2,-5\n"})
    reading = [ready(place.start("together_process", "read", writers)) for _ in range(readers)]
    writing = [ready(place.start("together_process", "write", number, commits)) for number in range(writers)]
    began = time.monotonic()
    for process in (*reading, *writing):
        go(process)
    outcome = Outcome()
    books = [said(process, outcome) for process in writing]
    outcome.seconds = time.monotonic() - began
    for process in reading:
        go(process)
    seen = [said(process, outcome) for process in reading]
    outcome.looks = sum(each["looks"] for each in seen)
    outcome.faults += [fault for each in seen for fault in each["faults"]]
    outcome.versions_seen = len({(name, v) for each in seen for name in each["seen"] for v in each["seen"][name]})
    outcome.commits = sum(len(versions) for book in books for versions in book["versions"].values())
    outcome.again = sum(book["again"] for book in books)
    outcome.compactions = sum(book["compactions"] for book in books)
    with opened(place) as lake:
        compare(lake, books, commits, outcome)
    return outcome


def compare(lake: Lakehouse, books: Sequence[dict[str, Any]], commits: int, outcome: Outcome) -> None:
    """Every commit has a version of its own, every entry and every balance is there, every version adds up."""
    faults = outcome.faults
    faults += [f"{found.name}: {found.problem}" for found in examine_all(lake) if found.problem]
    if outcome.commits != len(books) * commits:
        faults.append(f"{outcome.commits} commits were told of, not {len(books) * commits}")
    for name in ("entries", "accounts"):
        told = [version for book in books for version in book["versions"][name]]
        if len(set(told)) < len(told):
            faults.append(f"{name}: two commits were told the same version")
        there = {commit.version for commit in lake.catalog.table(name).history(None)}
        if not set(told) <= there:
            faults.append(f"{name}: versions {sorted(set(told) - there)[:5]} are not in the log")
    entries = {-1, -2} | {
        number * 1_000_000 + commit * 2 + each
        for number in range(len(books))
        for commit in range(0, commits, 2)
        for each in (0, 1)
    }
    found = lake.arrow(str(lake.sql("SELECT id FROM entries").result_uri))["id"].to_pylist()
    if sorted(found) != sorted(entries):
        faults.append(f"{len(entries)} entries were committed, {len(found)} are there")
    balances = {int(each): balance for book in books for each, balance in book["balances"].items()}
    table_ = lake.arrow(str(lake.sql("SELECT id, balance FROM accounts").result_uri))
    if dict(zip(table_["id"].to_pylist(), table_["balance"].to_pylist(), strict=True)) != balances:
        faults.append("the balances are not those in the writers' books")
    add_up(lake, outcome)


def add_up(lake: Lakehouse, outcome: Outcome) -> None:
    """Check the sums of every version of `accounts`, and of some of `entries`, whose versions have many files."""
    (accounts,) = lake.sql("SELECT count(*), sum(balance) FROM accounts AT (VERSION => 0)").rows
    for name, sums, expected, least in (
        ("accounts", "count(*), sum(balance)", accounts, 0),
        ("entries", "count(*) % 2, sum(amount)", [0, 0], _ENTRY_VERSIONS_CHECKED),
    ):
        newest = lake.catalog.get(name).snapshot.version
        versions = range(0, newest + 1, max(1, newest // least) if least else 1)
        for begin in range(0, len(versions), _TOGETHER):
            part = versions[begin : begin + _TOGETHER]
            each = (f"SELECT {version}, {sums} FROM {name} AT (VERSION => {version})" for version in part)
            for row in lake.sql(" UNION ALL ".join(each), max_rows=_TOGETHER).rows:
                outcome.versions_checked += 1
                if row[1:] != expected:
                    outcome.faults.append(f"{name} at version {row[0]}: {row[1:]}, not {expected}")


def lags(place: Place, steps: int) -> list[float]:
    """Seconds from the end of a commit in one process until another one saw it."""
    with opened(place) as lake:
        lake.ingest({"name": "steps.csv", "text": "n\n0\n"})
    watching, stepping = ready(place.start("together_process", "watch", steps)), None
    stepping = ready(place.start("together_process", "step", steps))
    go(watching)
    go(stepping)
    done, seen = said(stepping), said(watching)
    return [max(0.0, after - before) for before, after in zip(done, seen, strict=True)]


def ready(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """The process, once it is ready."""
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise AssertionError(process.communicate()[1][-3_000:])
    return process


def go(process: subprocess.Popen[str]) -> None:
    """Let it go on."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def said(process: subprocess.Popen[str], outcome: Outcome | None = None) -> Any:
    """What it printed at its end."""
    out, err = process.communicate()
    if process.returncode:
        raise AssertionError(err[-3_000:])
    if err.strip() and outcome is not None:
        outcome.faults.append(err[-500:])
    return json.loads(out)


def prove(kind: str, *, commits: int = COMMITS) -> Section:
    """The whole proof over a folder or over S3."""
    with tempfile.TemporaryDirectory() as folder, empty_place(kind, Path(folder)) as place:
        outcome = run(place, WRITERS, READERS, commits)
        for fault in outcome.faults[:20]:
            print(f"  {fault}", flush=True)
        lag = sorted(lags(place, STEPS))
    text = [
        *wrapped(
            f"{WRITERS} processes committed {commits} times each, by turns an append of two entries that add up to nothing "
            "and an upsert that moves money between two accounts, while one of them compacted and "
            f"{READERS} processes read the newest version and a random older one, again and again, and checked the sums. "
            "At the end the rows were compared with the writers' own books, and the sums of versions were checked."
        ),
        *table(
            ("commits", "compactions", "lost races told of", "looks", "versions seen", "versions checked", "seconds", "faults"),
            [
                (
                    outcome.commits, outcome.compactions, outcome.again, outcome.looks, outcome.versions_seen,
                    outcome.versions_checked, f"{outcome.seconds:.0f}", len(outcome.faults),
                )
            ],
        ),
        "",
        *wrapped(
            f"A reader in another process saw {len(lag)} commits {median(lag) * 1000:.0f} ms after their end in the median, "
            f"and {lag[-1] * 1000:.0f} ms at most."
        ),
    ]  # fmt: skip
    return Section(f"Writers and readers together: {kind}", text, not outcome.faults and lag[-1] <= NOTICED_SECONDS)
