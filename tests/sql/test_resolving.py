"""How a worker comes to know what names stand for: told with the statement, or when it asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcp_lakehouse.errors import NotFound
from mcp_lakehouse.sql.runner import Runner
from mcp_lakehouse.worker.channel import Message
from tests.sql.conftest import FakeCatalog

COUNT = "SELECT count(*) FROM trips"


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """The questions workers ask from now on."""
    asked: list[Message] = []
    on_event = Runner._on_event

    def note(runner: Runner, text: str, event: Message) -> Message:
        asked.append(event)
        return on_event(runner, text, event)

    monkeypatch.setattr(Runner, "_on_event", note)
    return asked


def count(runner: Runner, statement: str = COUNT, max_rows: int = 5) -> object:
    return runner.run(statement, max_rows=max_rows)[0].rows[0][0]


def test_a_statement_that_ran_before_asks_no_more(runner: Runner, questions: list[Message]) -> None:
    statement = COUNT + " -- asks once"
    assert [count(runner, statement, max_rows) for max_rows in (1, 2, 3)] == [3, 3, 3]
    assert len(questions) <= 1


def test_what_changed_since_is_seen(runner: Runner, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    assert count(runner) == 3
    monkeypatch.setattr(catalog, "version", 2)
    monkeypatch.setitem(catalog.files, "trips", ["trips.parquet", "trips.parquet"])
    result, _ = runner.run(COUNT, max_rows=5)
    assert (result.rows, result.datasets) == ([[6]], {"trips": 2})


def test_what_is_gone_since_is_told(runner: Runner, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    assert count(runner) == 3
    monkeypatch.delitem(catalog.files, "trips")
    with pytest.raises(NotFound, match="no dataset 'trips'"):
        count(runner)


def test_a_worker_that_never_held_it_asks(strict: Callable[..., Runner], questions: list[Message]) -> None:
    runner = strict(workers=1)
    assert count(runner) == 3
    with runner._pool.lend(timeout_seconds=5) as worker:
        worker.kill()
    assert count(runner, max_rows=6) == 3
    assert len(questions) == 2


def test_a_name_of_a_with_query_in_one_condition_is_a_table_in_the_next(runner: Runner) -> None:
    assert len(runner.matching("trips", 1, "id IN (WITH nowhere AS (SELECT 1) FROM nowhere)")[0]) == 1
    with pytest.raises(NotFound, match="nowhere"):
        runner.matching("trips", 1, "id IN (SELECT id FROM nowhere)")


def test_conditions_over_the_same_rows_ask_once(runner: Runner, questions: list[Message]) -> None:
    found = [len(runner.matching("evolved", 1, f"id > {least}")[0]) for least in (0, 1, 2)]
    assert found == [1, 0, 0]
    assert len(questions) == 1


def test_old_versions_are_read_again_after_many_others(strict: Callable[..., Runner]) -> None:
    """More of them than a worker keeps."""
    runner = strict(workers=1)
    for version in (*range(1, 201), 1, 200, 2):
        assert count(runner, f"SELECT count(*) FROM trips AT (VERSION => {version})") == 3
