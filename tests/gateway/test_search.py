"""POST /search, /vectors/hybrid, /fetch and /rag."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from gateway.conftest import Served, twice_served

PEOPLE = """id,name,state,about
1,Ada,IL,Forklift operator with an OSHA-10 card and five years in cold storage.
2,Ben,IN,Line cook who runs a grill and trains others.
3,Cleo,IL,Welder who reads drawings and repairs trailers.
"""
HANDBOOK = "# Pay\nOvertime is paid one and a half times.\n"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lake with a table that has text, and a document."""
    with twice_served(tmp_path_factory.mktemp("library")) as each:
        each.lake.ingest({"text": PEOPLE, "name": "people.csv"}, text=["about"])
        each.lake.ingest({"text": HANDBOOK, "name": "handbook.md"})
        yield each


def answered(served: Served, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer, which fits the description."""
    answer = served.http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    document = served.http.get("/openapi.json").json()
    content = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]
    jsonschema.validate(answer.json(), {**content["schema"], "components": document["components"]})
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("path", ["/search", "/vectors/hybrid"])
def test_a_search_gives_what_the_tool_gives(library: Served, path: str) -> None:
    found = answered(library, path, {"query": "who drives a forklift"})
    assert found["results"][0]["columns"]["name"] == "Ada"
    assert set(found["generations"]) == {"people", "handbook"}
    body = {"query": "forklift", "datasets": ["people"], "where": "state = 'IL'", "k": 1, "mode": "keyword"}
    found = answered(library, path, {**body, "columns": ["id"]})
    (hit,) = found["results"]
    assert (hit["columns"], found["mode"]) == ({"id": 1}, "keyword")
    assert "2 of 3 rows match the filter" in found["plan"]["people"]
    assert library.lake.fetch(hit["id"]).text == hit["text"]


def test_a_question_is_answered_with_citations(library: Served) -> None:
    answer = answered(library, "/rag", {"question": "How is overtime paid?", "datasets": ["handbook"], "k": 3})
    assert "one and a half times" in answer["answer"]
    assert (answer["model"], answer["refused"]) == (None, False)
    for citation in answer["citations"]:
        assert citation["quote"] in library.lake.fetch(citation["id"]).text


def test_an_id_that_was_found_can_be_opened(library: Served) -> None:
    hit = answered(library, "/search", {"query": "overtime", "datasets": ["handbook"], "k": 1})["results"][0]
    passage = answered(library, "/fetch", {"id": hit["id"]})
    assert (passage["id"], passage["text"]) == (hit["id"], hit["text"])
    assert passage["metadata"]["source"] == "handbook.md"


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/search", {}, 400, "'query' is a required property"),
        ("/search", {"query": "a", "mode": "fuzzy"}, 400, "'fuzzy' is not one of"),
        ("/search", {"query": "a", "limit": 3}, 400, "'limit' was unexpected"),
        ("/search", {"query": "a", "k": 0}, 400, "k is 0"),
        ("/vectors/hybrid", {"query": ""}, 400, "the query is empty"),
        ("/search", {"query": "a", "datasets": ["nobody"]}, 404, "nobody"),
        ("/search", {"query": "a", "datasets": ["people"], "where": "stat = 1"}, 400, "stat"),
        (
            "/search",
            {"query": "a", "datasets": ["people"], "where": "1 = 1) UNION SELECT (1"},
            400,
            "where is not one condition",
        ),
        ("/fetch", {}, 400, "'id' is a required property"),
        ("/fetch", {"id": "handbook"}, 400, "is not the id of a passage"),
        ("/fetch", {"id": "lakehouse://datasets/nobody/v0/rows/0"}, 404, "nobody"),
        ("/fetch", {"id": "lakehouse://datasets/handbook/v9/rows/0"}, 404, "no version 9"),
        ("/rag", {"query": "a"}, 400, "'question' is a required property"),
        ("/rag", {"question": "?"}, 400, "the question is empty"),
    ],
)
def test_what_cannot_be_searched_is_a_problem_with_a_hint(
    library: Served, path: str, body: dict[str, Any], status: int, says: str
) -> None:
    answer = library.http.post(path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]
    assert answer.json()["hint"]
