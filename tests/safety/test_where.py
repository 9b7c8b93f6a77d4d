"""The `where` of a search passes the same wall as a statement: the hostile corpus, as conditions and inside them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.records import to_json
from tests.safety.corpus import load
from tests.safety.fixture import Planted, patiently, planted
from tests.safety.rates import leaks

# These only burn time; limits hold for a filter as they do for a statement.
_HEAVY = ("exhaustion", "parser-depth")
_FORMS = ("{}", "trip_id IN ({})")


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    with planted(tmp_path_factory.mktemp("where")) as made:
        columns = [c.name for c in made.lake.describe_dataset("trips").columns if c.type == "VARCHAR"]
        patiently(lambda: made.lake.build_index("trips", columns=columns))
        yield made


def _said(fixture: Planted, where: str) -> tuple[bool, str]:
    try:
        found = fixture.lake.search("card", datasets="trips", where=where, mode="keyword", k=3)
    except LakehouseError as error:
        return True, str(error)
    return False, json.dumps(to_json(found), ensure_ascii=False)


@pytest.mark.parametrize("form", _FORMS)
def test_no_hostile_text_gets_through_a_filter(fixture: Planted, form: str) -> None:
    before = fixture.snapshot(content=False)
    places = fixture.places()
    troubles = []
    cases = [case for case in load("hostile.jsonl") if case.tool == "sql" and case.category not in _HEAVY]
    for case in cases:
        statement = case.filled(places).arguments["statement"]
        # Nothing at all is no filter.
        if not statement.strip() or len(statement) > 10_000:
            continue
        refused, said = _said(fixture, form.format(statement))
        found = leaks(said, case.filled(places))
        if found:
            troubles.append(f"{case.id}: leaked {found}: {said[:200]}")
        if form == "{}" and case.expect == "refused" and not refused:
            troubles.append(f"{case.id}: answered: {said[:200]}")
    assert len(cases) > 500
    assert troubles == []
    assert fixture.snapshot(content=False) == before
    assert not fixture.trap_was_touched()
