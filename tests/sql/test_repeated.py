"""A statement that is asked again over the same contents is given what it gave before, and only then."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled
from mcp_lakehouse.sql.results import StoredResult
from mcp_lakehouse.sql.runner import Runner
from mcp_lakehouse.worker.channel import Message
from mcp_lakehouse.worker.process import Worker
from tests.sql.conftest import FakeCatalog


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that workers run from now on."""
    statements: list[str] = []
    call = Worker.call

    def note(worker: Worker, request: Message, **options: object) -> Message:
        if request["op"] == "run":
            statements.append(request["statement"])
        return call(worker, request, **options)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(Worker, "call", note)
    return statements


def uri(answer: tuple[object, StoredResult]) -> str:
    return answer[1].uri


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM trips",
        "SELECT city, sum(fare) FROM trips WHERE id > 1 GROUP BY ALL ORDER BY city",
        "WITH x AS (SELECT id FROM trips) SELECT max(id), row_number() OVER () FROM x GROUP BY id ORDER BY id",
        "SELECT t.id FROM trips t JOIN evolved e USING (id)",
        "SELECT id FROM trips AT (VERSION => 1)",
        "SELECT 40 + 2",
    ],
)
def test_what_depends_on_its_tables_alone_runs_once(runner: Runner, ran: list[str], statement: str) -> None:
    first, second = (runner.run(statement + " -- once", max_rows=10) for _ in range(2))
    assert (first[0].rows, first[0].datasets, uri(first)) == (second[0].rows, second[0].datasets, uri(second))
    assert len(ran) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT random()",
        "SELECT now()",
        "SELECT current_date",
        "SELECT current_timestamp",
        "SELECT localtimestamp",
        "SELECT current_localtimestamp()",
        'SELECT age("at") FROM trips',
        "SELECT uuid()",
        "FROM trips USING SAMPLE 1 ROWS",
        "FROM trips TABLESAMPLE reservoir(1 ROWS)",
        "FROM range(3)",
        "WITH trips AS (SELECT * FROM trips WHERE id > 1) SELECT count(*) FROM trips",
        'SELECT count(*) FROM trips WHERE "at" < now()',
        "SELECT (SELECT max(today()) FROM evolved) FROM trips",
        "PIVOT trips ON city USING count(*)",
        "SUMMARIZE trips",
        "EXPLAIN ANALYZE FROM trips",
    ],
)
def test_what_may_change_runs_each_time(runner: Runner, ran: list[str], statement: str) -> None:
    first, second = (runner.run(statement, max_rows=10) for _ in range(2))
    assert uri(first) != uri(second)
    assert len(ran) == 2


def test_other_parameters_and_limits_run_anew(runner: Runner, ran: list[str]) -> None:
    statement = "SELECT id FROM trips WHERE id >= ? ORDER BY id -- anew"
    assert [runner.run(statement, [least], max_rows=10)[0].rows for least in (2, 3, 2)] == [
        [[2], [3]],
        [[3]],
        [[2], [3]],
    ]
    assert len(ran) == 3
    listed = "SELECT id FROM trips ORDER BY id -- anew"
    assert [len(runner.run(listed, max_rows=most)[0].rows) for most in (1, 2, 1)] == [1, 2, 1]
    assert len(ran) == 5


def test_what_changed_since_is_read(
    runner: Runner, catalog: FakeCatalog, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = "SELECT count(*), (SELECT count(*) FROM evolved) FROM trips"
    assert runner.run(statement, max_rows=10)[0].rows == [[3, 2]]
    monkeypatch.setattr(catalog, "version", 7)
    monkeypatch.setitem(catalog.files, "evolved", ["old.parquet"])
    assert runner.run(statement, max_rows=10)[0].rows == [[3, 1]]
    assert len(ran) == 2


def test_its_handle_is_read_again_even_after_many_others(runner: Runner, catalog: FakeCatalog) -> None:
    statement = "SELECT id FROM trips ORDER BY id -- handle"
    _, stored = runner.run(statement, max_rows=10)
    catalog.results._small.clear()
    again = runner.run(statement, max_rows=10)
    assert uri(again) == stored.uri
    assert runner.page(catalog.results.find(stored.uri), offset=1, max_rows=1).rows == [[2]]


def test_a_cancelled_call_ends_as_one(runner: Runner) -> None:
    runner.run("SELECT 1 AS cancelled", max_rows=10)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        runner.run("SELECT 1 AS cancelled", max_rows=10, cancel=token)


def test_only_so_many_are_kept(strict: Callable[..., Runner], ran: list[str]) -> None:
    runner = strict(workers=1)
    for number in (*range(70), 69, 0):
        runner.run(f"SELECT {number}", max_rows=10)
    assert len(ran) == 71
