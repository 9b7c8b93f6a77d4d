"""The journal gathers, never makes its callers wait, and loses nothing silently."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from mcp_lakehouse.catalog.system import JOURNALS
from mcp_lakehouse.errors import StatementFailed
from mcp_lakehouse.journal import Journal, Row
from mcp_lakehouse.settings import Settings
from mcp_lakehouse.trace import configure, current_trace_id, span
from mcp_lakehouse.tracing import SpanRecord

NEVER = 3600.0


class Datasets:
    """Where a journal appends to: it can fail, and it can be held up."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[Row]]] = []
        self.fails = False
        self.attempts = 0
        self.open = threading.Event()
        self.open.set()

    def append(self, name: str, rows: list[Row]) -> None:
        self.attempts += 1
        self.open.wait(30)
        if self.fails:
            raise OSError("the bucket is gone")
        # As the façade's own append is traced: none of that may come back as rows.
        with span("append"):
            self.batches.append((name, rows))

    def rows(self, name: str) -> list[Row]:
        return [row for each, rows in self.batches if each == name for row in rows]


@pytest.fixture
def datasets() -> Iterator[Datasets]:
    made = Datasets()
    yield made
    made.open.set()


def a_span(name: str = "sql") -> SpanRecord:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    return SpanRecord("0" * 31 + "1", "0" * 15 + "2", None, name, "internal", at, at, 0.5, "unset", {"b": 1, "a": "é"})


def test_an_error_is_kept_with_code_hint_and_trace(datasets: Datasets, settings: Settings) -> None:
    journal = Journal(datasets.append)
    tracing = configure(settings, version="0", sink=journal.spans)
    with span("sql"):
        trace_id = current_trace_id()
        journal.error(
            StatementFailed("no such column", hint="did you mean id?"), operation="sql", dataset="w", who="me"
        )
    tracing.close()
    journal.close()
    (row,) = datasets.rows("errors")
    assert isinstance(row.pop("time"), datetime)
    assert row == {
        "code": "statement_failed",
        "operation": "sql",
        "dataset": "w",
        "message": "no such column",
        "hint": "did you mean id?",
        "who": "me",
        "trace_id": trace_id,
    }
    assert [row["trace_id"] for row in datasets.rows("spans")] == [trace_id]


def test_rows_have_the_columns_of_their_dataset(datasets: Datasets) -> None:
    journal = Journal(datasets.append)
    journal.error(ValueError("x"), operation="sql")
    journal.spans([a_span()])
    journal.close()
    for name in ("errors", "spans"):
        assert set(datasets.rows(name)[0]) == {column for column, _ in JOURNALS[name]}


def test_an_error_that_is_not_ours_is_kept_too(datasets: Datasets) -> None:
    journal = Journal(datasets.append)
    journal.error(KeyError("x"), operation="search")
    journal.close()
    (row,) = datasets.rows("errors")
    assert (row["code"], row["message"], row["trace_id"]) == ("error", "KeyError: 'x'", None)


def test_rows_are_written_in_batches_and_in_order(datasets: Datasets) -> None:
    journal = Journal(datasets.append, flush_seconds=NEVER)
    for number in range(100):
        journal.spans([a_span(str(number))])
    assert datasets.batches == []
    assert journal.flush()
    journal.close()
    assert len(datasets.batches) == 1
    assert [row["name"] for row in datasets.rows("spans")] == [str(number) for number in range(100)]
    assert datasets.rows("spans")[0]["attributes"] == '{"a": "é", "b": 1}'


def test_rows_are_written_within_the_interval_without_being_asked(datasets: Datasets) -> None:
    journal = Journal(datasets.append, flush_seconds=0.01)
    journal.spans([a_span()])
    deadline = time.monotonic() + 10
    while not datasets.batches and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    assert len(datasets.rows("spans")) == 1
    journal.close()


def test_callers_never_wait_for_a_write(datasets: Datasets) -> None:
    datasets.open.clear()
    journal = Journal(datasets.append, flush_seconds=0.01)
    before = time.monotonic()
    for _ in range(1000):
        journal.spans([a_span()])
        journal.error(ValueError("x"), operation="sql")
    assert time.monotonic() - before < 2
    assert not journal.flush(timeout_seconds=0.05)
    datasets.open.set()
    journal.close()
    assert (len(datasets.rows("spans")), len(datasets.rows("errors"))) == (1000, 1000)


def test_what_could_not_be_written_is_written_later(datasets: Datasets, caplog: pytest.LogCaptureFixture) -> None:
    datasets.fails = True
    journal = Journal(datasets.append, flush_seconds=NEVER)
    journal.spans([a_span("first")])
    journal.error(ValueError("x"), operation="sql")
    assert not journal.flush()
    datasets.fails = False
    journal.spans([a_span("second")])
    assert journal.flush()
    journal.close()
    assert [row["name"] for row in datasets.rows("spans")] == ["first", "second"]
    assert len(datasets.rows("errors")) == 1
    assert "cannot write to system.spans, trying again: the bucket is gone" in caplog.text


def test_the_oldest_go_first_and_their_number_is_told(datasets: Datasets) -> None:
    datasets.fails = True
    journal = Journal(datasets.append, flush_seconds=NEVER, kept_rows=10)
    journal.spans([a_span(str(number)) for number in range(8)])
    assert not journal.flush()
    journal.spans([a_span(str(number)) for number in range(8, 25)])
    datasets.fails = False
    assert journal.flush()
    journal.close()
    assert [row["name"] for row in datasets.rows("spans")] == [str(number) for number in range(15, 25)]
    (row,) = datasets.rows("errors")
    assert row["code"] == "journal_overflow"
    assert "15 rows" in str(row["message"])


def test_close_writes_what_waits_and_then_takes_nothing(datasets: Datasets) -> None:
    journal = Journal(datasets.append, flush_seconds=NEVER)
    journal.spans([a_span()])
    journal.close()
    journal.spans([a_span()])
    journal.close()
    assert len(datasets.rows("spans")) == 1


def test_close_does_not_wait_for_a_bucket_that_hangs(datasets: Datasets, caplog: pytest.LogCaptureFixture) -> None:
    datasets.open.clear()
    journal = Journal(datasets.append, flush_seconds=0.01)
    journal.spans([a_span()])
    before = time.monotonic()
    journal.close(timeout_seconds=0.1)
    assert time.monotonic() - before < 1
    assert "closed before its last rows were written" in caplog.text


def test_a_bucket_that_is_gone_is_tried_once_at_close(datasets: Datasets, caplog: pytest.LogCaptureFixture) -> None:
    datasets.fails = True
    journal = Journal(datasets.append, flush_seconds=NEVER)
    journal.spans([a_span()])
    journal.close()
    assert datasets.attempts == 1
    assert "closed before its last rows were written" in caplog.text


def test_a_journal_that_nothing_was_given_has_no_thread(datasets: Datasets) -> None:
    before = threading.active_count()
    journal = Journal(datasets.append)
    assert journal.flush()
    assert threading.active_count() == before
    journal.close()


def test_its_own_writes_are_not_traced(datasets: Datasets, settings: Settings) -> None:
    journal = Journal(datasets.append, flush_seconds=NEVER)
    tracing = configure(settings, version="0", sink=journal.spans)
    with span("sql"):
        pass
    assert journal.flush()
    assert journal.flush()
    tracing.close()
    journal.close()
    assert [row["name"] for row in datasets.rows("spans")] == ["sql"]
