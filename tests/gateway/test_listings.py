"""GET /storage/errors and /hnsw/trials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway.conftest import Served, serving

NOTES = "id,note\n1,otters swim\n2,owls fly\n"
PATHS = {"/storage/errors": "errors", "/hnsw/trials": "trials"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lake in which two things went wrong and one index was built."""
    with serving(tmp_path_factory.mktemp("library")) as each:
        each.lake.ingest({"text": NOTES, "name": "notes.csv"}, text=["note"])
        each.sql("SELECT nothing FROM notes")
        each.sql("FROM nobody")
        yield each


def listed(served: Served, path: str, **asked: Any) -> dict[str, Any]:
    """The answer, which fits the description."""
    answer = served.http.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    document = served.http.get("/openapi.json").json()
    described = document["paths"][path]["get"]
    assert set(asked) <= {each["name"] for each in described["parameters"]}
    content = described["responses"]["200"]["content"]["application/json"]
    jsonschema.validate(answer.json(), {**content["schema"], "components": document["components"]})
    found: dict[str, Any] = answer.json()
    return found


def test_errors_are_listed(library: Served) -> None:
    found = listed(library, "/storage/errors", limit=1)
    assert (found["total"], found["truncated"]) == (2, True)
    assert found["errors"][0]["code"] == "not_found"
    assert listed(library, "/storage/errors", since="2999-01-01T00:00:00Z")["errors"] == []


def test_trials_are_listed(library: Served) -> None:
    (trial,) = listed(library, "/hnsw/trials", dataset="notes")["trials"]
    assert (trial["dataset"], trial["published"]) == ("notes", True)


@pytest.mark.parametrize(
    ("path", "query", "status", "told"),
    [
        ("/storage/errors", "limit=many", 400, "limit"),
        ("/storage/errors", "limit=-1", 400, "limit"),
        ("/storage/errors", "limit=0", 400, "1 to 1,000"),
        ("/storage/errors", "limit=9" + "9" * 5000, 400, "limit"),
        ("/storage/errors", "limit=1&limit=2", 400, "twice"),
        ("/storage/errors", "since=lately", 400, "since"),
        ("/storage/errors", "colour=red", 400, "colour"),
        ("/hnsw/trials", "dataset=nobody", 404, "nobody"),
    ],
)
def test_what_makes_no_sense_is_a_problem(library: Served, path: str, query: str, status: int, told: str) -> None:
    answer = library.http.get(f"{path}?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert told in answer.json()["detail"]
    assert answer.json()["hint"]


@pytest.mark.parametrize("path", PATHS)
def test_a_server_for_readers_has_none(tmp_path: Path, path: str) -> None:
    with serving(tmp_path, read_only=True) as readers:
        assert path not in readers.http.get("/openapi.json").json()["paths"]
        answer = readers.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
