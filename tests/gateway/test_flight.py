"""Arrow Flight: what `sql` gives, of any length."""

from __future__ import annotations

import collections
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from gateway.conftest import PEOPLE
from gateway.flying import Flown, failure, flown, opened

TYPES = (
    "SELECT i AS id, i % 2 = 0 AS even, i::DECIMAL(9,2) / 4 AS money, 'text ' || i AS note, DATE '2026-01-01' + i::INT AS day,"
    " TIMESTAMPTZ '2026-01-01 10:00:00+00' + to_hours(i) AS moment, TIME '01:02:03' AS time, (i * 1.5)::FLOAT AS f,"
    " i::HUGEINT * 170141183460469231731687303715884105 AS huge, NULL AS nothing, [i, NULL] AS list, {'a': i} AS struct,"
    " MAP {'k': i} AS map, 'b'::ENUM('a', 'b') AS word, ['a'::ENUM('a', 'b')] AS words, '\\xFF'::BLOB AS bytes,"
    " INTERVAL 1 MONTH AS span, '0101'::BIT AS bits, i AS ID FROM range(3) t(i) ORDER BY i DESC"
)
# Long rows, so that the engine waits for the reader well before it comes to the error.
LATE = (
    "SELECT CASE WHEN range > 500_000 THEN error('too far') ELSE range END AS id, repeat('x', 200) AS note"
    " FROM range(600_000)"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flown")


@pytest.fixture(scope="module")
def up(folder: Path) -> Iterator[Flown]:
    """A lake with the dataset `people`."""
    (folder / "people.csv").write_text(PEOPLE)
    with opened(folder) as lake:
        lake.ingest(folder / "people.csv", key=["id"], description="Everybody")
        with flown(lake) as each:
            yield each


@pytest.mark.parametrize(
    "statement",
    [
        TYPES,
        "FROM people ORDER BY id",
        "FROM people WHERE id > 7",
        "SELECT 1 AS a, 2 AS A, 3 AS a",
        "FROM system.datasets",
        "DESCRIBE people",
        "PIVOT people ON city USING count(*) GROUP BY name ORDER BY name",
        "SELECT range AS id FROM range(200_000) ORDER BY id DESC",
    ],
    ids=lambda statement: statement[:20],
)
def test_rows_and_types_are_those_of_sql(up: Flown, statement: str) -> None:
    table = up.table(statement)
    kept = up.lake.arrow(up.lake.sql(statement).result_uri or "")
    assert table.schema == kept.schema
    assert table.to_pylist() == kept.to_pylist()


@pytest.mark.parametrize(
    ("statement", "params"),
    [("SELECT name FROM people WHERE id = ?", [2]), ("SELECT name FROM people WHERE id = $id", {"id": 2})],
)
def test_a_ticket_may_be_json_with_parameters(up: Flown, statement: str, params: Any) -> None:
    assert up.table({"statement": statement, "params": params}).to_pylist() == [{"name": "Grace"}]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("FROM persons", "not_found"),
        ("FROM people AT (VERSION => 99)", "not_found"),
        ("SELEC 1", "statement_failed"),
        ("SELECT nam FROM people", "statement_failed"),
        ("SELECT error('no') FROM people", "statement_failed"),
        ("", "statement_refused"),
        ("DELETE FROM people", "statement_refused"),
        ("SELECT 1; SELECT 2", "statement_refused"),
        ("SELECT * FROM read_csv('/etc/passwd')", "statement_refused"),
        ("COPY people TO 'x.csv'", "statement_refused"),
        ("ATTACH 'x.db'", "statement_refused"),
        ("SET threads = 1", "statement_refused"),
        ("FROM duckdb_settings()", "statement_refused"),
        ("SELECT getenv('HOME')", "statement_refused"),
        ('{"statement": "SELECT 1"', "invalid_input"),
        ('{"params": [1]}', "invalid_input"),
        ('{"statement": "SELECT 1", "limit": 5}', "invalid_input"),
        ('{"statement": "SELECT ?", "params": 5}', "invalid_input"),
    ],
)
def test_what_fails_over_sql_fails_with_the_same_words(up: Flown, statement: str, code: str) -> None:
    error, told = failure(up, statement)
    assert (type(error), told["code"]) == (flight.FlightServerError, code)
    assert told["hint"]


def test_a_long_error_fits_the_headers_that_carry_it(up: Flown) -> None:
    _, told = failure(up, f"SELECT error('{'Ω' * 20_000}')")
    assert told["message"].endswith("…")


def test_a_ticket_that_is_no_text_is_refused(up: Flown) -> None:
    with pytest.raises(flight.FlightError, match="not UTF-8"):
        up.client.do_get(flight.Ticket(b"\xff")).read_all()


def test_an_error_after_many_rows_reaches_the_client(up: Flown) -> None:
    reader = up.client.do_get(flight.Ticket(LATE.encode()))
    first = reader.read_chunk().data.num_rows
    with pytest.raises(flight.FlightServerError, match="too far") as caught:
        collections.deque(reader, maxlen=0)
    assert first > 1_000
    assert json.loads(caught.value.extra_info)["code"] == "statement_failed"
    assert up.lake.sql("SELECT count(*) > 0 FROM system.errors WHERE message LIKE '%too far%'").rows == [[True]]


def test_a_command_tells_its_schema_and_a_ticket_for_its_rows(up: Flown) -> None:
    info = up.client.get_flight_info(flight.FlightDescriptor.for_command(TYPES))
    (endpoint,) = info.endpoints
    assert (info.total_records, endpoint.locations) == (-1, [])
    assert info.schema == up.client.do_get(endpoint.ticket).read_all().schema
    assert up.client.get_schema(flight.FlightDescriptor.for_command(TYPES)).schema == info.schema


def test_a_dataset_is_a_flight_whose_ticket_names_its_version(up: Flown, folder: Path) -> None:
    (folder / "growing.csv").write_text("id\n1\n2\n")
    up.lake.ingest(folder / "growing.csv", dataset="größer")
    info = up.client.get_flight_info(flight.FlightDescriptor.for_path("größer"))
    assert (info.schema.names, info.total_records) == (["id"], 2)
    (folder / "growing.csv").write_text("id\n3\n")
    up.lake.ingest(folder / "growing.csv", dataset="größer")
    assert up.client.do_get(info.endpoints[0].ticket).read_all().num_rows == 2
    listed = {each.descriptor.path[0].decode(): each for each in up.client.list_flights()}
    assert {name: each.total_records for name, each in listed.items()} == {"größer": 3, "people": 3}
    assert listed["people"].schema == up.table("FROM people").schema
    assert [each.descriptor.path for each in up.client.list_flights(b"every")] == [[b"people"]]


@pytest.mark.parametrize("path", [("nobody",), ("a", "b"), ("../people",)])
def test_a_path_that_is_no_dataset_is_told_so(up: Flown, path: tuple[str, ...]) -> None:
    with pytest.raises(flight.FlightServerError) as caught:
        up.client.get_flight_info(flight.FlightDescriptor.for_path(*path))
    assert json.loads(caught.value.extra_info)["code"] in ("not_found", "invalid_input")


def test_health_is_an_action_and_nothing_else_is(up: Flown) -> None:
    assert [each.type for each in up.client.list_actions()] == ["health"]
    (answer,) = up.client.do_action("health")
    assert json.loads(answer.body.to_pybytes())["status"] == "ok"
    with pytest.raises(flight.FlightServerError, match="no action 'drop'"):
        list(up.client.do_action("drop"))


def test_data_does_not_come_in_this_way(up: Flown) -> None:
    writer, _ = up.client.do_put(flight.FlightDescriptor.for_path("people"), pa.schema([("id", pa.int64())]))
    with pytest.raises(flight.FlightServerError, match="only reads"):
        writer.close()
