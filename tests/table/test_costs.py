"""What reading and committing ask of a bucket does not grow with the number of versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.places import ID, Place
from mcp_lakehouse.store import Bucket
from mcp_lakehouse.table import Table


class Counting:
    """Passes everything on and counts the calls; reads of several objects count one each."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._bucket, name)
        if not callable(found):
            return found

        def counted(*arguments: Any, **options: Any) -> Any:
            self.calls[name] += len(arguments[0]) if name == "read_many" else 1
            return found(*arguments, **options)

        return counted

    def of(self, work: Callable[[], object]) -> dict[str, int]:
        """The calls that `work` makes."""
        self.calls.clear()
        work()
        return dict(self.calls)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("local", str(tmp_path / "lake"), {}, tmp_path)


def test_an_unchanged_table_costs_one_look(place: Place) -> None:
    counting = Counting(place.bucket())
    table = Table(counting, "t")
    for _ in range(5):
        table.create_or_append(ID, [])
    for work in (table.snapshot, table.head, lambda: table.transaction_version("x")):
        assert counting.of(work) == {"exists": 1}


def test_the_ninetieth_commit_costs_what_the_second_did(place: Place) -> None:
    counting = Counting(place.bucket())
    table = Table(counting, "t")
    table.create_or_append(ID, [])
    costs = [counting.of(lambda: table.create_or_append(ID, [place.stage(id=[1])])) for _ in range(90)]
    assert costs[0] == costs[-1] == {"exists": 1, "upload": 1, "write": 1}


def test_a_reader_fetches_only_what_is_new(place: Place) -> None:
    counting = Counting(place.bucket())
    reader, writer = Table(counting, "t"), place.table("t")
    for _ in range(60):
        writer.create_or_append(ID, [])
    reader.snapshot()
    writer.create_or_append(ID, [])
    # The next commit, then two looks that find the end.
    assert counting.of(reader.snapshot) == {"exists": 1, "read_many": 3}
    assert counting.of(reader.snapshot) == {"exists": 1}


def test_a_checkpoint_spares_the_commits_before_it(place: Place) -> None:
    writer = place.table("t")
    for _ in range(103):
        writer.create_or_append(ID, [])
    counting = Counting(place.bucket())
    reader = Table(counting, "t")
    assert reader.head() == 102
    # Pointer, checkpoint, its commit's time, and one batch.
    assert counting.calls["read_many"] < 40
    assert "read" not in counting.calls


def test_records_are_fetched_once(place: Place) -> None:
    counting = Counting(place.bucket())
    table = Table(counting, "t")
    for _ in range(10):
        table.create_or_append(ID, [])
    assert counting.of(table.history) == {"exists": 1, "read_many": 10}
    assert counting.of(lambda: table.history(4)) == {"exists": 1}
