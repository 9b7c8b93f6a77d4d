"""POST /sql, GET /health and GET /openapi.json."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from gateway.conftest import Served
from mcp_lakehouse import __version__


def test_health_tells_version_and_number_of_datasets(served: Served) -> None:
    answer = served.http.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "version": __version__, "lake": {"read_only": False, "datasets": 1}}


def test_a_statement_gives_what_the_tool_gives(served: Served) -> None:
    answer = served.sql("SELECT name, id::DECIMAL(9,2) AS id FROM people ORDER BY people.id")
    assert answer.status_code == 200
    result = answer.json()
    assert result["columns"] == [{"name": "name", "type": "VARCHAR"}, {"name": "id", "type": "DECIMAL(9,2)"}]
    assert [row[0] for row in result["rows"]] == ["Ada", "Grace", "Edsger"]
    assert (result["row_count"], result["truncated"]) == (3, False)
    page = served.lake.read_result(result["result_uri"], 1, 1)
    assert page.rows[0][0] == "Grace"


@pytest.mark.parametrize(
    ("statement", "params", "expected"),
    [
        ("SELECT name FROM people WHERE id = ?", [2], "Grace"),
        ("SELECT name FROM people WHERE id = $1", [2], "Grace"),
        ("SELECT name FROM people WHERE city = $city", {"city": "Austin"}, "Edsger"),
        ("SELECT coalesce(?, 'nothing')", [None], "nothing"),
        ("SELECT ? || '…' || ?", ["Ω", "\U0001f600"], "Ω…\U0001f600"),
    ],
)
def test_parameters_are_bound(served: Served, statement: str, params: Any, expected: str) -> None:
    assert served.sql(statement, params=params).json()["rows"] == [[expected]]


def test_max_rows_and_response_format_are_those_of_the_tool(served: Served) -> None:
    result = served.sql("FROM people", max_rows=2, response_format="detailed").json()
    assert (len(result["rows"]), result["row_count"], result["truncated"]) == (2, 3, True)
    assert result["datasets"] == {"people": 0}


@pytest.mark.parametrize(
    ("statement", "status", "code"),
    [
        ("SELEC 1", 400, "statement_failed"),
        ("SELECT nam FROM people", 400, "statement_failed"),
        ("DELETE FROM people", 400, "statement_refused"),
        ("SELECT 1; SELECT 2", 400, "statement_refused"),
        ("SELECT * FROM read_csv('/etc/passwd')", 400, "statement_refused"),
        ("FROM persons", 404, "not_found"),
        ("FROM people AT (VERSION => 99)", 404, "not_found"),
    ],
)
def test_a_statement_that_fails_is_a_problem_with_a_hint(
    served: Served, statement: str, status: int, code: str
) -> None:
    answer = served.sql(statement)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["detail"]
    assert problem["hint"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "'statement' is a required property"),
        ({"statement": 1}, "statement: 1 is not of type 'string'"),
        ({"statement": "SELECT 1", "limit": 5}, "'limit' was unexpected"),
        ({"statement": "SELECT 1", "max_rows": "5"}, "max_rows: '5' is not of type 'integer'"),
        ({"statement": "SELECT 1", "response_format": "long"}, "'long' is not one of"),
        ({"statement": "SELECT 1", "max_rows": -1}, "max_rows"),
        ({"statement": "SELECT ?", "params": 5}, "params: 5 is not"),
    ],
)
def test_a_body_that_does_not_fit_says_what_is_wrong(served: Served, body: Any, says: str) -> None:
    answer = served.http.post("/sql", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert says in answer.json()["detail"]
    assert len(answer.json()["detail"]) < 300


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"statement": "SELECT 1"}', "text/plain", 415),
        (b'{"statement": "SELECT 1"}', "", 415),
        (b"SELECT 1", "application/json", 400),
        (b"", "application/json", 400),
        (b"[1]", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"statement": "' + b"x" * 9_000_000 + b'"}', "application/json", 413),
    ],
    ids=["text", "no type", "not JSON", "empty", "array", "deep", "not UTF-8", "too large"],
)
def test_a_body_that_is_no_json_object_is_refused(served: Served, content: bytes, kind: str, status: int) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = served.http.post("/sql", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["hint"]


def test_a_body_of_unknown_length_has_the_same_limit(served: Served) -> None:
    pieces = (b"x" * 1_000_000 for _ in range(10))
    answer = served.http.post("/sql", content=pieces, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert "8 MiB" in answer.json()["detail"]


def test_half_a_surrogate_pair_is_told_as_an_error_and_harms_nobody(served: Served) -> None:
    content = b'{"statement": "SELECT \'\\ud800\' AS x"}'
    answer = served.http.post("/sql", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert served.rows("SELECT 1") == [[1]]


def test_every_value_is_safe_json_with_its_type_beside(served: Served) -> None:
    answer = served.sql(
        "SELECT 'nan'::DOUBLE AS nan, '-inf'::FLOAT AS inf, 170141183460469231731687303715884105727::HUGEINT AS huge,"
        " 1.10::DECIMAL(5,2) AS money, INTERVAL 1 MONTH AS span, '\\xFF'::BLOB AS bytes,"
        " TIMESTAMPTZ '2026-01-02 03:04:05+01' AS moment, {'a': [1, NULL]} AS nested, MAP {'k': 1} AS pairs"
    )
    assert answer.status_code == 200, answer.text

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    result = json.loads(answer.content, parse_constant=refuse)
    row = {column["name"]: value for column, value in zip(result["columns"], result["rows"][0], strict=True)}
    assert row["huge"] == "170141183460469231731687303715884105727"
    assert row["money"] in ("1.10", 1.1)
    assert row["nested"] == {"a": [1, None]}


@pytest.mark.parametrize(
    ("method", "path", "status", "hint"),
    [
        ("GET", "/sql", 405, "POST"),
        ("POST", "/health", 405, "GET"),
        ("GET", "/", 404, "/openapi.json"),
        ("POST", "/drop", 404, "/openapi.json"),
    ],
)
def test_a_wrong_turn_shows_the_way(served: Served, method: str, path: str, status: int, hint: str) -> None:
    answer = served.http.request(method, path)
    assert answer.status_code == status
    assert hint in answer.json()["hint"]


def test_the_description_fits_what_is_answered(served: Served) -> None:
    document = served.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/health", "/sql", "/ingest", "/search", "/vectors/hybrid", "/fetch", "/rag", "/v1/chat/completions", "/v1/chat",
        "/storage/errors", "/hnsw/trials",
    }  # fmt: skip
    operations = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(operations)) == len(operations)
    schemas = document["components"]["schemas"]
    jsonschema.validate(served.sql("FROM people").json(), schemas["SqlResult"])
    jsonschema.validate(served.sql("FROM nothing").json(), schemas["Problem"])
    health = document["paths"]["/health"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(served.http.get("/health").json(), health)
    assert "security" not in document
    assert '"$ref": "#/$defs' not in json.dumps(document)
