"""A clock that jumps by an hour, or is an hour wrong: order comes from the log, never from the clock."""

from __future__ import annotations

import itertools
import time
from datetime import datetime

import pytest

from lake.places import Place, inline, rows
from mcp_lakehouse import Lakehouse

HOUR = 3600.0


class JumpingClock:
    """The time of day, with what was added to it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        now, now_ns = time.time, time.time_ns
        patch.setattr(time, "time", lambda: now() + self.ahead)
        patch.setattr(time, "time_ns", lambda: now_ns() + int(self.ahead * 1e9))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> JumpingClock:
    return JumpingClock(monkeypatch)


def note(lake: Lakehouse, number: int, mode: str = "append") -> None:
    lake.ingest(inline("notes", f"id,note\n{number},otter {number}\n"), mode=mode)


def test_versions_keep_their_order_while_the_clock_jumps(prepared: Place, clock: JumpingClock) -> None:
    with prepared.open() as lake:
        lake.ingest(inline("notes", "id,note\n0,otter 0\n"), key="id", text="note")
        jumps = itertools.cycle([HOUR, -HOUR, 0.0])
        steps = [
            lambda: note(lake, 1),
            lambda: note(lake, 1, "upsert"),
            lambda: note(lake, 2),
            lambda: lake.compact("notes"),
            lambda: lake.drop_dataset("notes", "notes"),
            lambda: lake.restore_dataset("notes"),
            lambda: note(lake, 3),
            lambda: lake.restore_dataset("notes", 1),
            lambda: note(lake, 4),
        ]
        for step in steps:
            clock.ahead = next(jumps)
            step()
        history = lake.catalog.table("notes").history(None)
        assert [commit.version for commit in history] == list(range(len(steps), -1, -1))
        times = [commit.at for commit in history]
        assert times == sorted(set(times), reverse=True)
        for commit in history[1:]:
            if commit.version != 5:
                at = commit.at.isoformat()
                asked = f"FROM notes AT (TIMESTAMP => '{at}') ORDER BY id"
                assert rows(lake, asked) == rows(lake, f"FROM notes AT (VERSION => {commit.version}) ORDER BY id")
        assert rows(lake, "SELECT id FROM notes ORDER BY id") == [[0], [1], [4]]
        assert {hit.text for hit in lake.search("otter", datasets="notes").results} == {"otter 0", "otter 1", "otter 4"}


def test_two_writers_whose_clocks_are_apart_lose_nothing(prepared: Place, clock: JumpingClock) -> None:
    with prepared.open() as early, prepared.open() as late:
        early.ingest(inline("notes", "id,note\n0,otter 0\n"), key="id", text="note")
        for number in range(1, 7):
            clock.ahead = HOUR if number % 2 else -HOUR
            note(late if number % 2 else early, number, "upsert" if number % 3 == 0 else "append")
        clock.ahead = 0.0
        for lake in (early, late):
            assert rows(lake, "SELECT id FROM notes ORDER BY id") == [[number] for number in range(7)]
            assert len(lake.search("otter", datasets="notes", k=50).results) == 7


def test_generations_and_errors_do_not_hang_on_the_clock(prepared: Place, clock: JumpingClock) -> None:
    with prepared.open() as lake:
        lake.ingest(inline("notes", "id,note\n0,otter 0\n"), text="note")
        for number, ahead in enumerate((HOUR, -HOUR, 0.0), 2):
            clock.ahead = ahead
            assert lake.build_index("notes").generation == number
            assert lake.search("otter", datasets="notes").generations == {"notes": number}
        clock.ahead = -HOUR
        assert lake.rollback_index("notes").generation == 3
        lake._journals.append(
            "errors", [{"time": datetime.now().astimezone(), "code": "x", "operation": "sql", "message": "m"}]
        )
        assert lake.list_errors().total == 1
