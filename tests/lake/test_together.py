"""Several at once, on one dataset: nothing is lost, nothing is there twice, and whoever reads sees whole versions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lake.places import Place, inline, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import NotFound
from mcp_lakehouse.sql.runner import Runner
from mcp_lakehouse.worker.channel import Message
from mcp_lakehouse.worker.process import Worker

WRITERS, LOADS = (1, 2), 5


def test_two_processes_append_and_upsert_without_a_loss(prepared: Place) -> None:
    script = str(Path(__file__).with_name("loading_process.py"))
    processes = [
        subprocess.Popen(
            [sys.executable, script, prepared.address, str(writer), str(LOADS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for writer in WRITERS
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0]
    own = [writer * 100 + number for writer in WRITERS for number in range(LOADS)]
    with prepared.open() as lake:
        assert [row[0] for row in rows(lake, "SELECT id FROM events ORDER BY id")] == own
        assert [row[0] for row in rows(lake, "SELECT id FROM state ORDER BY id")] == [0, *own]
        assert rows(lake, "SELECT count(*) FROM state WHERE id > 0 AND writer <> id // 100") == [[0]]
        # Every load is a version of its own, and what each says it did adds up.
        added = "SELECT count(*), sum(rows_added), sum(rows_updated) FROM system.versions WHERE dataset = "
        assert rows(lake, added + "'events'") == [[10, 10, 0]]
        assert rows(lake, added + "'state'") == [[10, 11, 9]]


@pytest.fixture
def one(prepared: Place) -> Iterator[Lakehouse]:
    with prepared.open() as lake:
        yield lake


@pytest.fixture
def other(prepared: Place) -> Iterator[Lakehouse]:
    """The same lake, as another process has it."""
    with prepared.open() as lake:
        yield lake


def once_after(patch: pytest.MonkeyPatch, operation: str, work: Callable[[], Any]) -> None:
    """Do `work` when the next request of this kind has been answered, before its caller goes on."""
    call = Worker.call

    def call_then_work(worker: Worker, request: Message, **options: Any) -> Message:
        answer = call(worker, request, **options)
        if request.get("op") == operation:
            patch.setattr(Worker, "call", call)
            work()
        return answer

    patch.setattr(Worker, "call", call_then_work)


def test_an_upsert_that_was_overtaken_by_another_is_done_again(
    one: Lakehouse, other: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.ingest(inline("t", "a,b\n1,x\n"), mode="replace", key="a")
    once_after(monkeypatch, "rewrite", lambda: other.ingest(inline("t", "a,b\n1,first\n2,first\n"), mode="upsert"))
    report = one.ingest(inline("t", "a,b\n2,second\n3,second\n"), mode="upsert")
    assert (report.rows_added, report.rows_updated) == (1, 1)
    assert rows(one, "FROM t ORDER BY a") == [[1, "first"], [2, "second"], [3, "second"]]


def test_an_upsert_into_what_was_dropped_meanwhile_begins_anew(
    one: Lakehouse, other: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    once_after(monkeypatch, "rewrite", lambda: other.drop_dataset("t", "t"))
    one.ingest(inline("t", "a,b\n2,y\n"), mode="upsert", key="a")
    assert rows(one, "FROM t") == [[2, "y"]]


def test_a_folder_of_which_another_loads_a_file_meanwhile_is_loaded_once_and_whole(
    prepared: Place, one: Lakehouse, other: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepared.put("days/first.csv", "a,b\n10,p\n")
    prepared.put("days/second.csv", "a,b\n20,q\n")
    once_after(monkeypatch, "load", lambda: other.ingest(first, dataset="t"))
    report = one.ingest(first.parent, dataset="t")
    assert (report.version, report.rows_added, report.unchanged) == (2, 1, False)
    assert rows(one, "FROM t ORDER BY a") == [[1, "x"], [10, "p"], [20, "q"]]
    assert one.ingest(first.parent, dataset="t").unchanged


def test_rows_that_are_loaded_beside_a_compaction_stay(
    one: Lakehouse, other: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.ingest(inline("t", "a,b\n2,y\n"))
    once_after(monkeypatch, "merge", lambda: other.ingest(inline("t", "a,b\n3,z\n")))
    assert one.compact("t") == 3
    assert rows(one, "FROM t ORDER BY a") == [[1, "x"], [2, "y"], [3, "z"]]
    assert rows(one, "SELECT files FROM system.datasets WHERE name = 't'") == [[2]]


def test_a_statement_reads_to_its_end_what_is_dropped_while_it_runs(
    one: Lakehouse, other: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_event = Runner._on_event

    def answer_and_drop(runner: Runner, text: str, event: Message) -> Message:
        answer = on_event(runner, text, event)
        monkeypatch.setattr(Runner, "_on_event", on_event)
        other.drop_dataset("t", "t")
        return answer

    one.sql("SELECT 1")
    monkeypatch.setattr(Runner, "_on_event", answer_and_drop)
    # The pool takes the method when it is asked for.
    assert rows(one, "FROM t") == [[1, "x"]]
    with pytest.raises(NotFound, match="dropped"):
        one.sql("FROM t")
