"""What statements give back, and how they end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import psutil
import pytest

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import (
    Cancelled,
    InvalidInput,
    LakehouseError,
    LimitExceeded,
    NotFound,
    StatementFailed,
    StatementRefused,
    WorkerDied,
)
from mcp_lakehouse.records import Json, QueryResult
from mcp_lakehouse.sql.runner import Runner
from sql.conftest import FakeCatalog
from tests.mcp.processes import workers


def run(
    runner: Runner, statement: str, params: Json = None, max_rows: int = 100, detailed: bool = False
) -> QueryResult:
    return runner.run(statement, params, max_rows=max_rows, detailed=detailed)[0]


def rows(runner: Runner, statement: str, params: Json = None) -> list[list[Json]]:
    return run(runner, statement, params).rows


def test_rows_come_with_types_count_and_versions(runner: Runner, catalog: FakeCatalog) -> None:
    result = run(runner, "SELECT city, sum(fare) AS total FROM trips GROUP BY ALL ORDER BY city")
    assert [(column.name, column.type) for column in result.columns] == [
        ("city", "VARCHAR"),
        ("total", "DECIMAL(38,2)"),
    ]
    assert result.rows == [["Bergen", "7.25"], ["Oslo", "12.50"]]
    assert (result.row_count, result.truncated, result.datasets) == (2, False, {"trips": catalog.version})


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("FROM trips SELECT id ORDER BY id LIMIT 1", [[1]]),
        ("WITH t AS (SELECT 7 AS x) SELECT x FROM t", [[7]]),
        ("WITH trips AS (SELECT 'mine' AS x) SELECT x FROM trips", [["mine"]]),
        ("PIVOT trips ON city USING count(*)", [[1, 1, 0], [2, 1, 0], [3, 0, 1]]),
        ("SELECT * FROM (PIVOT (SELECT city FROM trips) ON city || '!' USING count(*))", [[1, 2]]),
        ("SHOW TABLES", [["empty"], ["trips"]]),
        ("SELECT count(*) FROM trips t AT (VERSION => 1)", [[3]]),
        ("SELECT table_name FROM information_schema.tables ORDER BY ALL", [["empty"], ["trips"]]),
        ("SELECT system.datasets.rows FROM system.datasets WHERE name = 'trips'", [[3]]),
        ("SELECT id FROM evolved ORDER BY id", [[1], [5_000_000_000]]),
        ("SELECT count(*), count(late) FROM evolved AT (VERSION => 1)", [[1, 0]]),
        ("SELECT e.id FROM evolved AS e AT (VERSION => 1)", [[1]]),
        ("SELECT count(*) FROM empty", [[0]]),
        ("SELECT list_transform([1, 2], lambda x: x + 1)", [[[2, 3]]]),
        ("/* why not */ SELECT 1; -- done", [[1]]),
    ],
)
def test_statements_a_data_person_writes(runner: Runner, statement: str, expected: list[list[Json]]) -> None:
    ours = rows(runner, statement)
    if statement.startswith("PIVOT"):
        ours = sorted([[row[0], row[-2], row[-1]] for row in ours], key=str)
        assert len(ours) == 3
    else:
        assert ours == expected


def test_describe_and_explain_work(runner: Runner) -> None:
    assert rows(runner, "DESCRIBE trips")[0][:2] == ["id", "BIGINT"]
    assert rows(runner, "SUMMARIZE trips")[0][0] == "id"
    assert "physical_plan" in str(rows(runner, "EXPLAIN SELECT * FROM trips"))
    assert "analyzed_plan" in str(rows(runner, "EXPLAIN ANALYZE SELECT * FROM trips"))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1.10", "1.10"),
        ("170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
        ("9007199254740991", 9007199254740991),
        ("9007199254740992", "9007199254740992"),
        ("'nan'::DOUBLE", "NaN"),
        ("'-inf'::FLOAT", "-Infinity"),
        ("INTERVAL 14 MONTH", "1 year 2 months"),
        ("'\\xAA\\x00z'::BLOB", "\\xAA\\x00z"),
        ("TIMESTAMPTZ '2026-03-01 12:00:00+02'", "2026-03-01 10:00:00+00"),
        ("DATE 'infinity'", "infinity"),
        ("'101'::BIT", "101"),
        ("MAP {1: 2.5}", {"1": "2.5"}),
        ("{'a': [1, NULL], 'b c': 1::HUGEINT}", {"a": [1, None], "b c": 1}),
        ("[1, 2]::INTEGER[2]", [1, 2]),
        ("'{\"a\": 1}'::JSON", '{"a": 1}'),
        ("'日本語 русский العربية'", "日本語 русский العربية"),
        ("NULL", None),
        ("true", True),
    ],
)
def test_values_are_json_safe(runner: Runner, expression: str, expected: Json) -> None:
    assert rows(runner, f"SELECT {expression}") == [[expected]]


def test_parameters_by_position_and_name(runner: Runner) -> None:
    assert rows(runner, "SELECT ?::INTEGER + $1", [3]) == [[6]] or rows(runner, "SELECT $1 + 1", [3]) == [[4]]
    assert rows(runner, "SELECT $name", {"name": "x'); DROP TABLE trips; --"}) == [["x'); DROP TABLE trips; --"]]
    with pytest.raises(InvalidInput):
        run(runner, "SELECT ?", "three")


def test_results_can_be_paged_and_queried_again(runner: Runner) -> None:
    result, stored = runner.run("SELECT i, i::HUGEINT AS h FROM range(100000) t(i)", max_rows=10)
    assert (len(result.rows), result.row_count, result.truncated) == (10, 100_000, True)
    page = runner.page(stored, offset=99_998, max_rows=10)
    assert (page.rows, page.truncated) == ([[99_998, 99_998], [99_999, 99_999]], False)
    assert runner.page(stored, offset=10**12, max_rows=10).rows == []
    again = f"SELECT count(*), max(h), any_value(typeof(h)) FROM result('{result.result_uri}')"
    assert rows(runner, again) == [[100_000, 99_999, "HUGEINT"]]
    with pytest.raises(NotFound):
        run(runner, "FROM result('" + "0" * 32 + "')")


def test_two_columns_of_one_name_are_both_there(runner: Runner) -> None:
    result = run(runner, "SELECT 1 AS a, 2 AS a, DATE '2026-01-01' AS A")
    assert result.rows == [[1, 2, "2026-01-01"]]
    assert rows(runner, f"SELECT a, a_1, A_2 FROM result('{result.result_uri}')") == [[1, 2, "2026-01-01"]]


def test_a_reply_stays_within_its_budget(runner: Runner) -> None:
    wide = run(runner, "SELECT repeat('x', 500) FROM range(1000)")
    assert wide.truncated
    assert sum(len(str(row)) for row in wide.rows) < 10_000
    cell = run(runner, "SELECT repeat('x', 5000)")
    assert cell.truncated
    assert str(cell.rows[0][0]).endswith("[4,000 more characters]")
    assert len(run(runner, "SELECT i FROM range(5000) t(i)", max_rows=1000).rows) == 1000
    for wrong in (0, -1, 10**9):
        with pytest.raises(InvalidInput, match="max_rows"):
            run(runner, "SELECT 1", max_rows=wrong)


def test_a_changed_dataset_is_seen_at_once(runner: Runner, catalog: FakeCatalog) -> None:
    assert rows(runner, "SELECT count(*) FROM evolved") == [[2]]
    catalog.files["evolved"], catalog.version = ["new.parquet"], catalog.version + 1
    try:
        assert rows(runner, "SELECT count(*) FROM evolved") == [[1]]
    finally:
        catalog.files["evolved"], catalog.version = ["old.parquet", "new.parquet"], catalog.version + 1


@pytest.mark.parametrize(
    ("statement", "error", "says"),
    [
        ("SELECT nope FROM trips", StatementFailed, "columns: trips(id BIGINT, city VARCHAR"),
        ("SELEC 1", StatementFailed, "syntax error"),
        ("SELECT $name", StatementFailed, "an object for $name"),
        ("FROM trips AT (VERSION => 1) t", StatementFailed, "an alias stands before AT"),
        ("DESCRIBE trips AT (VERSION => 1)", StatementFailed, "(FROM t AT (VERSION => 3))"),
        ('SELECT * FROM trips WHERE city = "Oslo"', StatementFailed, "single quotes: 'Oslo'"),
        ("SELECT * FROM nowhere", NotFound, "there are: trips"),
        ("SELECT sume(id) FROM trips", StatementRefused, "did you mean"),
        ("DELETE FROM trips", StatementRefused, "ingest"),
        ("WITH d AS (DELETE FROM trips RETURNING *) SELECT * FROM d", StatementRefused, "not allowed"),
        ("SELECT 1; SELECT 2", StatementRefused, "2 statements"),
        ("", StatementRefused, "no statement"),
        ("SELECT '\0'", InvalidInput, "NUL"),
        ("SELECT * FROM trips AT (VERSION => (SELECT 1))", StatementRefused, "constant"),
        ("SELECT * FROM result('../../etc/passwd')", StatementRefused, "result URI"),
        ("SELECT 1 -- " + "x" * 200_000, InvalidInput, "characters"),
        ("SELECT 1::INTEGER / 'x'", StatementFailed, "Could not convert"),
    ],
)
def test_errors_say_what_to_do_next(runner: Runner, statement: str, error: type[LakehouseError], says: str) -> None:
    with pytest.raises(error) as caught:
        run(runner, statement)
    assert says in str(caught.value)
    assert "/" + "tmp" not in str(caught.value)


def test_time_memory_and_size_limits_hold(strict: Callable[..., Runner]) -> None:
    runner = strict(
        timeout_seconds=3.0, memory_bytes=256 << 20, address_space_headroom_bytes=1 << 30, stored_result_bytes=1 << 20
    )
    run(runner, "SELECT 1")
    with pytest.raises(LimitExceeded, match="after 3 s"):
        run(runner, "SELECT count(*) FROM range(100000000000) a, range(1000) b WHERE a.range % 7 = b.range")
    with pytest.raises((LimitExceeded, WorkerDied)):
        run(runner, "SELECT length(repeat('x', 2000000000) || repeat('y', 2000000000))")
    with pytest.raises(LimitExceeded, match="grew beyond"):
        run(runner, "SELECT hash(i) AS h FROM range(5000000) t(i)")
    assert rows(runner, "SELECT 1") == [[1]]


def test_a_cancelled_statement_stops_using_the_processor(runner: Runner) -> None:
    token = CancelToken()
    timer = threading.Timer(0.3, token.cancel)
    timer.start()
    with pytest.raises(Cancelled):
        runner.run("SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b", max_rows=1, cancel=token)
    before = _children_cpu()
    time.sleep(0.5)
    assert _children_cpu() - before < 0.1
    assert rows(runner, "SELECT 1") == [[1]]


def test_other_statements_run_while_one_is_long(runner: Runner) -> None:
    token = CancelToken()
    outcome: list[BaseException] = []

    def endless() -> None:
        try:
            runner.run(
                "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b", max_rows=1, cancel=token
            )
        except Cancelled as error:
            outcome.append(error)

    thread = threading.Thread(target=endless)
    thread.start()
    assert rows(runner, "SELECT 1") == [[1]]
    token.cancel()
    thread.join()
    assert len(outcome) == 1


def test_a_worker_holds_no_secret_and_no_descriptor_of_ours(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_CANARY", "secret")
    run(runner, "SELECT 1")
    found = workers(os.getpid())
    assert found
    for worker in found:
        assert "LAKEHOUSE_CANARY" not in worker.environ()
        if os.path.isdir(f"/proc/{worker.pid}/fd"):
            kinds = [os.readlink(f"/proc/{worker.pid}/fd/{fd}") for fd in (0, 1, 2)]
            assert kinds == ["/dev/null"] * 3


def _children_cpu() -> float:
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def test_a_very_wide_row_fits_and_too_many_columns_are_refused(runner: Runner) -> None:
    wide = "SELECT " + ", ".join(f"repeat('x', 900) AS c{i}" for i in range(900))
    result = run(runner, wide)
    assert len(result.rows) == 1
    assert result.truncated
    assert len(str(result.rows[0])) < 60_000
    with pytest.raises(LimitExceeded, match="columns"):
        run(runner, "PIVOT (SELECT i FROM range(5000) t(i)) ON i USING count(*)")


def test_a_pivot_that_finds_its_columns_works_over_a_result(runner: Runner) -> None:
    result = run(runner, "SELECT * FROM (VALUES ('a', 1), ('b', 2), ('a', 3)) v(k, n)")
    assert rows(runner, f"PIVOT result('{result.result_uri}') ON k USING sum(n)") == [[4, 2]]


def test_text_in_other_scripts_costs_what_it_costs(runner: Runner) -> None:
    result = run(runner, "SELECT repeat('日本語', 30) FROM range(1000)")
    assert result.truncated
    assert sum(len(str(row)) for row in result.rows) < 4_000


def test_a_statement_that_is_run_again_is_run_anew(
    runner: Runner, catalog: FakeCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rows(runner, "SELECT random()") != rows(runner, "SELECT random()")
    before = [rows(runner, "SELECT count(*) FROM trips") for _ in range(2)]
    monkeypatch.setitem(catalog.files, "trips", [])
    monkeypatch.setattr(catalog, "version", 2)
    assert before == [[[3]], [[3]]]
    assert rows(runner, "SELECT count(*) FROM trips") == [[0]]
