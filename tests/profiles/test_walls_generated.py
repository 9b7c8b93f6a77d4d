"""Searches, citations, resource URIs and completions made up by a machine: none brings out what is not shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client, MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from lakehouse_tools import build_server
from mcp_lakehouse import Lakehouse
from profiles.conftest import CANARY, received

GENERATED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Words of the hidden rows and of those that are shown; a reader may know any of them.
WORDS = st.sampled_from(
    "bees Napoli bread keeps bakes Bob Dee Narvik forklift welds pipes noon sings gate eight".split()
)
CONDITIONS = st.sampled_from(
    (
        None,
        "true",
        "region = 'south'",
        "region <> 'north'",
        "id > 1",
        "name LIKE '%Bob%'",
        "length(bio) > 3",
        "CAST(name AS INTEGER) > 0",
        "id IN (SELECT 2)",
        "1 / (id - 2) > 0",
        "email = 'x'",
        "COLUMNS(*) IS NOT NULL",
    )
)
NAMES = st.sampled_from(("people", "open_notes", "system", "plans", "people2", "..", "_cache", "", "open_*", "PEOPLE"))
NUMBERS = st.integers(min_value=-2, max_value=9)


def clean(told: str) -> None:
    """Nothing of the other side is in it."""
    assert CANARY not in told.lower(), told
    assert "Napoli" not in told, told


@GENERATED
@given(st.lists(WORDS, min_size=1, max_size=4), CONDITIONS, st.sampled_from(("hybrid", "vector", "keyword")))
def test_no_search_finds_it(north: Lakehouse, words: list[str], where: str | None, mode: str) -> None:
    asked = " ".join(words)

    def search() -> str:
        found = north.search(asked, where=where, k=20, mode=mode)
        # How many passages there are to be found is a count too.
        assert len(found.results) <= 3
        return str(found.results)

    clean(received(search))
    told = received(lambda: north.ask(asked, where=where))
    # A refusal says of which words of the question nothing speaks.
    clean(re.sub("|".join(words), "", told))


@GENERATED
@given(NAMES, NUMBERS, NUMBERS, NUMBERS, st.sampled_from(("", "&lines=1-1", "&hash=00", "&chars=0-9999")))
def test_no_citation_opens_it(north: Lakehouse, name: str, version: int, row: int, chunk: int, more: str) -> None:
    clean(received(lambda: north.fetch(f"lakehouse://datasets/{name}/v{version}/rows/{row}#chunk={chunk}{more}")))


@GENERATED
@given(NAMES, NUMBERS, NUMBERS)
def test_no_time_travel_reaches_it(north: Lakehouse, name: str, older: int, newer: int) -> None:
    for statement in (
        f'SELECT * FROM "{name}" AT (VERSION => {older})',
        f"FROM changes('{name}', {older}, {newer})",
        f"SELECT count(*) FROM changes('{name}', {older}, {newer})",
        f"SELECT * FROM system.versions WHERE dataset = '{name}'",
        f"SELECT * FROM system.columns WHERE dataset <> '{name}'",
    ):
        clean(received(lambda statement=statement: north.sql(statement).rows))


@pytest.mark.anyio
async def test_no_uri_and_no_completion_leads_to_it(opened: Callable[[str], Lakehouse], folder: Path) -> None:
    with Lakehouse.open(folder) as whole:
        theirs = whole.sql("SELECT * FROM people").result_uri or ""
        cited = whole.search("bees", "people").results[0].id
    paths = ("people", "plans", "people/sample", "people/v0/rows/1", "people/v0/rows/9", "..", "../_cache", "system")
    uris = [f"lakehouse://datasets/{path}" for path in paths] + ["lakehouse://errors", "lakehouse://datasets"]
    uris += [theirs, f"{theirs}?format=csv", cited, "lakehouse://results/0", "file:///etc/passwd"]
    async with Client(build_server(opened("north"))) as client:
        for uri in uris:
            try:
                told = str(await client.read_resource(uri))
            except MCPError as error:
                told = str(error).replace(uri, "")
            clean(told)
        templates = (await client.list_resource_templates()).resource_templates
        references = [ResourceTemplateReference(type="ref/resource", uri=each.uri_template) for each in templates]
        references += [
            PromptReference(type="ref/prompt", name=each.name) for each in (await client.list_prompts()).prompts
        ]
        asked = 0
        for reference in references:
            for argument in ("dataset", "name", "column", "columns", "source", "question", "version", "id"):
                for value in ("", "c", "can", "p", "s", "_"):
                    try:
                        found = await client.complete(reference, {"name": argument, "value": value})
                    except MCPError as error:
                        clean(str(error))
                        continue
                    asked += 1
                    clean(str(found.completion.values))
        assert asked > 40


def test_what_an_administrator_alone_may_do_is_refused_without_a_word_of_it(north: Lakehouse) -> None:
    for work in (
        lambda: north.list_errors(),
        lambda: north.list_errors(dataset="people"),
        lambda: north.index_trials(),
        lambda: north.replay_rescued(),
        lambda: north.vacuum(dry_run=True),
        lambda: north.vacuum("people", at_once=True),
        lambda: north.forget("people", "region = 'south'", dry_run=True),
        lambda: north.forget("people", "region = 'south'", "people"),
        lambda: north.pin("people", 0, "mine"),
        lambda: north.rollback_index("people"),
        lambda: north.restore_dataset("people", 0),
    ):
        told = received(work)
        assert "not allowed to profile 'north'" in told
        clean(told)
