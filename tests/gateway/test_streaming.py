"""POST /sql for all rows: the form a request accepts, sent while it is made, stopped when nobody reads."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pyarrow as pa
import pytest

from gateway.conftest import PEOPLE, Served, serving
from mcp_lakehouse.gateway.limits import HttpLimits

ARROW, CSV, NDJSON = "application/vnd.apache.arrow.stream", "text/csv", "application/x-ndjson"
ENDLESS = "SELECT range AS id, 'a text of some length' AS note FROM range(1_000_000_000_000)"
LATE = "SELECT CASE WHEN range > 3_900_000 THEN error('too far') ELSE range END AS id FROM range(4_000_000)"


def whole(served: Served, statement: str, accept: str, **rest: object) -> httpx2.Response:
    return served.http.post("/sql", json={"statement": statement, **rest}, headers={"Accept": accept})


def test_as_arrow_it_is_what_sql_keeps(served: Served) -> None:
    statement = "SELECT *, 'b'::ENUM('a', 'b') AS word, 1 AS ID FROM people ORDER BY people.id"
    answer = whole(served, statement, ARROW)
    assert (answer.status_code, answer.headers["content-type"]) == (200, ARROW)
    table = pa.ipc.open_stream(answer.content).read_all()
    kept = served.lake.arrow(served.sql(statement).json()["result_uri"])
    assert (table.schema, table.to_pylist()) == (kept.schema, kept.to_pylist())


def test_as_csv_it_has_a_header_and_every_row(served: Served) -> None:
    answer = whole(served, "SELECT range AS id, 'a,b' AS t FROM range(5_000) WHERE id >= ?", CSV, params=[1_000])
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    head, *rows = csv.reader(io.StringIO(answer.text))
    assert (head, rows[0], rows[-1], len(rows)) == (["id", "t"], ["1000", "a,b"], ["4999", "a,b"], 4_000)


def test_as_lines_of_json_its_values_are_those_of_json(served: Served) -> None:
    statement = "SELECT *, 1.10::DECIMAL(5,2) AS money, [1, NULL] AS list FROM people ORDER BY id"
    answer = whole(served, statement, NDJSON)
    assert answer.headers["content-type"] == NDJSON
    assert [list(json.loads(line).values()) for line in answer.text.splitlines()] == served.rows(statement)
    assert whole(served, "FROM people WHERE id > 9", NDJSON).content == b""


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("text/html, */*;q=0.8", "application/json"),
        (f"application/json, {CSV};q=0.5", "application/json"),
        (f"{CSV};q=0", "application/json"),
        (f"application/json;q=0.5, {NDJSON}", NDJSON),
        (f"{CSV};q=0.5, TEXT/CSV;header=present", "text/csv; charset=utf-8; header=present"),
        (f"{CSV};q=x, {NDJSON}", NDJSON),
    ],
)
def test_the_form_is_the_one_a_request_would_rather_have(served: Served, accept: str, kind: str) -> None:
    assert whole(served, "FROM people", accept).headers["content-type"] == kind


@pytest.mark.parametrize("accept", [ARROW, CSV, NDJSON])
@pytest.mark.parametrize(
    ("statement", "status", "code"),
    [
        ("SELECT nam FROM people", 400, "statement_failed"),
        ("SELECT error('at once') FROM people", 400, "statement_failed"),
        ("DELETE FROM people", 400, "statement_refused"),
        ("SELECT * FROM read_csv('/etc/passwd')", 400, "statement_refused"),
        ("FROM persons", 404, "not_found"),
    ],
)
def test_what_fails_before_the_first_row_is_a_problem(
    served: Served, accept: str, statement: str, status: int, code: str
) -> None:
    answer = whole(served, statement, accept)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["hint"]


def test_the_description_names_the_forms(served: Served) -> None:
    done = served.http.get("/openapi.json").json()["paths"]["/sql"]["post"]["responses"]["200"]
    assert set(done["content"]) == {"application/json", ARROW, CSV, NDJSON}
    assert "breaks off" in done["description"]


def test_what_belongs_to_a_page_is_refused(served: Served) -> None:
    answer = whole(served, "FROM people", CSV, max_rows=2)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert "LIMIT" in answer.json()["hint"]


@pytest.mark.parametrize("accept", [ARROW, CSV, NDJSON])
def test_what_fails_later_breaks_off_and_is_on_record(served: Served, accept: str) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        whole(served, LATE, accept)
    # One of the two servers it happened in; the other is told within a second.
    recorded = "SELECT count(*) > 0 FROM system.errors WHERE message LIKE '%too far%'"
    assert [[True]] in [served.rows(recorded), served.rows(recorded)]
    assert served.rows("SELECT 1") == [[1]]


def test_a_client_that_hangs_up_stops_its_statement(tmp_path: Path) -> None:
    with serving(tmp_path, sql_workers="1") as alone:
        request = {"json": {"statement": ENDLESS}, "headers": {"Accept": CSV}}
        with alone.http.stream("POST", "/sql", **request) as answer:  # type: ignore[arg-type]  # both are its own
            assert next(answer.iter_bytes())
        # There is one worker: without it, this would wait until the stream has stalled for long.
        began = time.monotonic()
        assert alone.rows("SELECT 2") == [[2]]
        assert time.monotonic() - began < 30


@pytest.fixture
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lake with one worker, and little patience with clients that do not read."""
    limits = HttpLimits(stall_seconds=0.3, shutdown_seconds=1)
    with serving(tmp_path_factory.mktemp("impatient"), limits=limits, sql_workers="1") as each:
        (each.files / "people.csv").write_text(PEOPLE)
        each.lake.ingest(each.files / "people.csv", key=["id"])
        yield each


def test_a_client_that_does_not_read_loses_the_worker(impatient: Served) -> None:
    request = {"json": {"statement": ENDLESS}, "headers": {"Accept": ARROW}}
    with impatient.http.stream("POST", "/sql", **request) as answer:  # type: ignore[arg-type]  # both are its own
        assert next(answer.iter_raw())
        began = time.monotonic()
        # The only worker comes free.
        assert impatient.lake.sql("SELECT 1").rows == [[1]]
        assert time.monotonic() - began < 20
