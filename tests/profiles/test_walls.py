"""What a reader receives, whatever it asks: its own part, and nothing of the rest."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client

from lakehouse_tools import build_server
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import InvalidInput, NotAllowed, NotFound, StatementFailed, StatementRefused
from profiles.conftest import CANARY, received

HIDDEN = (NotFound, StatementRefused, StatementFailed, InvalidInput, NotAllowed)
# Statements that reach for what is not shown: each is an error.
REFUSED = [
    "FROM canary_plans",
    'FROM "canary_plans"',
    "FROM main.canary_plans",
    "FROM canary_plans AT (VERSION => 0)",
    "FROM CANARY_PLANS",
    "SELECT * FROM people p JOIN canary_plans c ON true",
    "SELECT (SELECT count(*) FROM canary_plans)",
    "WITH x AS (FROM canary_plans) FROM x",
    "SELECT canary_salary FROM people",
    "SELECT people.canary_salary FROM people",
    "SELECT p.canary_salary FROM people p",
    "SELECT name FROM people WHERE canary_salary > ''",
    "SELECT name FROM people ORDER BY canary_salary",
    "SELECT max(canary_salary) FROM people",
    "SELECT * EXCLUDE (canary_salary) FROM people",
    "SELECT * REPLACE (canary_salary AS name) FROM people",
    "SELECT struct_extract(people, 'canary_salary') FROM people",
    "SELECT people['canary_salary'] FROM people",
    "FROM system.errors",
    "FROM system.spans",
    "FROM system.rejects",
    "FROM system.operations",
    "FROM system.trials",
    "FROM duckdb_tables()",
    "FROM duckdb_columns()",
    "FROM duckdb_views()",
    "FROM duckdb_settings()",
    "FROM pg_catalog.pg_tables",
    "PRAGMA database_list",
    "PRAGMA show_tables",
    "FROM read_parquet('{lake}/tables/people/*.parquet')",
    "FROM '{lake}/tables/people/*.parquet'",
    "FROM glob('{lake}/**')",
    "FROM read_text('{lake}/lakehouse.toml')",
    "FROM read_blob('{lake}/_lakehouse.json')",
    "FROM parquet_metadata('{lake}/tables/people/*.parquet')",
    "FROM query('FROM canary_plans')",
    "FROM query_table('canary_plans')",
    "FROM query_table(['canary_plans'])",
    "SELECT getenv('HOME')",
    "SELECT current_setting('allowed_directories')",
    "SELECT current_setting('temp_directory')",
    "ATTACH '{lake}/x.db'",
    "COPY people TO '{lake}/x.csv'",
    "INSERT INTO people SELECT * FROM people",
    "WITH d AS (DELETE FROM people RETURNING *) FROM d",
    "DROP VIEW people",
    "CREATE TABLE x AS FROM people",
    "SET threads = 1",
    "EXPORT DATABASE '{lake}/x'",
    "CALL pragma_version()",
    "LOAD httpfs",
    "SELECT * FROM people; FROM canary_plans",
    "EXPLAIN FROM canary_plans",
    "DESCRIBE canary_plans",
    "SUMMARIZE canary_plans",
    "FROM result('lakehouse://results/{result}')",
    "SELECT error(canary_salary) FROM people",
    "PIVOT people ON canary_salary",
    "UNPIVOT people ON canary_salary",
    "FROM people AT (VERSION => 7)",
]
# Statements over the reader's own part that could tell of the rest: each is answered, from that part alone.
ANSWERED = [
    ("SELECT count(*) FROM people", [[2]]),
    ("SELECT name FROM people ORDER BY id", [["Ada"], ["Cy"]]),
    ("SELECT count(*) FROM people AT (VERSION => 0)", [[2]]),
    ("SELECT count(*) FROM people WHERE region = 'south' OR true", [[2]]),
    ("SELECT count(*) FROM people WHERE CASE WHEN region = 'south' THEN error('seen') ELSE true END", [[2]]),
    ("SELECT sum(1 / (CASE WHEN region = 'south' THEN 0 ELSE 1 END)) FROM people", [[2.0]]),
    ("SELECT DISTINCT region FROM people", [["north"]]),
    ("SELECT min(id), max(id) FROM people", [[1, 3]]),
    ("SELECT approx_count_distinct(region) FROM people", [[1]]),
    ("SELECT list(email) FROM people", [[["***", "***"]]]),
    ("SELECT phone FROM people ORDER BY id", [["312"], ["313"]]),
    ("SELECT count(COLUMNS(*)) FROM people", [[2] * 6]),
    ("SELECT count(*) FROM (SELECT people FROM people) s(row_)", [[2]]),
    ("SELECT rows, columns FROM system.datasets WHERE name = 'people'", [[2, 6]]),
    ("SELECT count(*) FROM system.columns WHERE dataset = 'people'", [[6]]),
    ("SELECT name FROM system.datasets ORDER BY name", [["open_notes"], ["people"]]),
    ("SELECT DISTINCT dataset FROM system.versions ORDER BY 1", [["open_notes"], ["people"]]),
]  # fmt: skip


@pytest.fixture(scope="module")
def foreign_result(folder: Path) -> str:
    """The handle of a result that another reader of the lake has kept."""
    with Lakehouse.open(folder) as whole:
        uri = whole.sql("FROM people").result_uri
    assert uri is not None
    return uri.rpartition("/")[2]


@pytest.mark.parametrize("statement", REFUSED)
def test_what_is_not_shown_is_not_there(north: Lakehouse, folder: Path, foreign_result: str, statement: str) -> None:
    asked = statement.replace("{lake}", str(folder)).replace("{result}", foreign_result)
    with pytest.raises(HIDDEN) as caught:
        north.sql(asked)
    # Of what is asked for the error may quote the question, and nothing else.
    told = f"{caught.value.message} {caught.value.hint}"
    for own in sorted({asked, str(folder), "canary_plans", "CANARY_PLANS", "canary_salary"}, key=len, reverse=True):
        told = told.replace(own, "")
    assert CANARY not in told.lower()


@pytest.mark.parametrize(("statement", "rows"), ANSWERED)
def test_what_is_shown_tells_of_itself_alone(north: Lakehouse, statement: str, rows: list[list[object]]) -> None:
    assert north.sql(statement).rows == rows


def test_every_other_door_leads_to_the_same_part(north: Lakehouse) -> None:
    hits = north.search("Napoli bees bread Narvik", k=20)
    assert sorted(hit.dataset for hit in hits.results) == ["open_notes", "people", "people"]
    doors: list[Callable[[], object]] = [
        north.list_datasets,
        lambda: north.list_datasets("a"),
        lambda: north.describe_dataset("people"),
        lambda: north.describe_dataset("canary_plans"[::-1]),
        lambda: hits,
        lambda: north.search("Napoli", where="region = 'south'"),
        lambda: north.search("x", where="CAST(name AS INTEGER) > 0"),
        lambda: [north.fetch(hit.id) for hit in hits.results],
        lambda: north.fetch("lakehouse://datasets/people/v0/rows/2#chunk=0"),
        lambda: north.ask("Who keeps bees in Napoli?"),
        lambda: north.ask("When does the gate open?"),
        lambda: north.sql("SELECT * FROM people"),
        lambda: north.sql("SELECT CAST(name AS INTEGER) FROM people"),
        lambda: north.sql("SELECT nme FROM people"),
        lambda: north.sql("FROM peple"),
        lambda: north.sql("FROM information_schema.tables"),
        lambda: north.sql("SHOW ALL TABLES"),
        north.list_buckets,
        north.list_profiles,
        lambda: north.drop_dataset("people", "people"),
        lambda: north.ingest({"name": "people.csv", "text": "id\n9\n"}),
        lambda: north.build_index("people"),
        lambda: north.compact("people"),
    ]
    for door in doors:
        assert CANARY not in received(door).lower(), received(door)


def test_hidden_and_missing_names_are_told_alike(north: Lakehouse) -> None:
    hidden, missing = (
        received(lambda name=name: north.describe_dataset(name)) for name in ("canary_plans", "missing_plan")
    )
    assert hidden.replace("canary_plans", "NAME") == missing.replace("missing_plan", "NAME")


WORDS = st.sampled_from(
    "SELECT FROM WHERE people canary_plans canary_salary name region * count(*) system.errors system.datasets , ( ) "
    "AT (VERSION => 0) JOIN ON true UNION ALL LIMIT 3 ORDER BY 1 'south' = CAST(name AS INT) COLUMNS(*) SUMMARIZE".split()
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS, min_size=2, max_size=9))
def test_no_words_in_any_order_bring_it_out(north: Lakehouse, words: list[str]) -> None:
    told = received(lambda: north.sql(" ".join(words)))
    for own in ("canary_plans", "canary_salary"):
        if own in words:
            # Messages quote parts of a statement, which may end within a word.
            told = re.sub("|".join(rf"{own[:length]}(?!\w)" for length in range(len(own), 5, -1)), "", told)
    assert CANARY not in told.lower()


def test_nothing_that_its_workers_may_read_holds_it(north: Lakehouse, folder: Path) -> None:
    north.sql("FROM people")
    (readable,) = (folder / "_cache" / "profiles").glob("north~*")
    files = [path for path in (readable / "data").rglob("*") if path.is_file()]
    assert files
    names = "\n".join(path.relative_to(folder).as_posix() for path in readable.rglob("*"))
    assert CANARY not in names
    for path in files:
        assert CANARY.encode() not in path.read_bytes()


def test_two_readers_see_each_their_own(opened: Callable[[str], Lakehouse]) -> None:
    names = {each: opened(each).sql("SELECT name FROM people ORDER BY id").rows for each in ("north", "south")}
    assert names == {"north": [["Ada"], ["Cy"]], "south": [["canaryBob"], ["canaryDee"]]}
    with pytest.raises(NotFound):
        opened("south").sql("FROM open_notes")


def test_a_restriction_that_cannot_be_applied_shows_nothing(opened: Callable[[str], Lakehouse], folder: Path) -> None:
    with pytest.raises(NotAllowed, match="cannot be shown to this profile") as caught:
        opened("broken").sql("FROM people")
    assert CANARY not in f"{caught.value.message} {caught.value.hint}"
    with Lakehouse.open(folder) as whole:
        (seen,) = whole.list_profiles("broken").shown or []
    assert "canary_nothing" in str(seen.problem)


@pytest.mark.anyio
async def test_over_mcp_tools_resources_and_completions_are_those_of_the_part(
    opened: Callable[[str], Lakehouse],
) -> None:
    async with Client(build_server(opened("north"))) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert tools == {"list_datasets", "describe_dataset", "sql", "read_result", "search", "fetch", "ask"}
        told = [
            str(await client.call_tool("list_buckets", {})),
            str(await client.read_resource("lakehouse://datasets")),
            str(await client.read_resource("lakehouse://datasets/people")),
            str(await client.read_resource("lakehouse://datasets/people/sample")),
        ]
        for text in told:
            assert CANARY not in text.lower()
    async with Client(build_server(opened("loader"))) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"ingest", "build_index", "rollback_index"} < tools
        assert not tools & {"drop_dataset", "restore_dataset", "list_buckets", "list_profiles"}


def test_a_profile_that_loads_changes_only_what_it_is_shown_whole(opened: Callable[[str], Lakehouse]) -> None:
    loader = opened("loader")
    assert loader.ingest({"name": "open_numbers.csv", "text": "a\n1\n"}).dataset == "open_numbers"
    assert loader.sql("FROM open_numbers").rows == [[1]]
    for dataset in ("people", "canary_plans", "elsewhere"):
        with pytest.raises(NotAllowed, match="may not change or make"):
            loader.ingest({"name": "x.csv", "text": "id\n9\n"}, dataset)
    with pytest.raises(NotAllowed, match="drop_dataset is not allowed to profile 'loader'"):
        loader.drop_dataset("open_numbers", "open_numbers")
