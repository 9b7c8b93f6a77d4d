"""What a model reads when a call fails: what happened, what is valid, what to call next."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client

from lakehouse_tools import build_server
from tests.mcp.calling import Served, call, error, rows

pytestmark = pytest.mark.anyio

NO_RESULT = "lakehouse://results/" + "0" * 32


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("sql", {"statment": "SELECT 1"}, "sql has no argument statment. Did you mean statement? Its arguments: "),
        ("sql", {"statement": "SELECT 1", "x": 1, "y": 2}, "sql has no argument x, y. Its arguments: statement, "),
        ("sql", {}, "sql needs the argument statement: a string."),
        ("sql", {"statement": 5}, "sql: statement must be a string, not 5."),
        ("sql", {"statement": None}, "sql: statement must be a string, not null."),
        ("sql", {"statement": "SELECT 1", "max_rows": "many"}, 'max_rows must be a whole number, not "many".'),
        ("sql", {"statement": "SELECT 1", "max_rows": 1.5}, "max_rows must be a whole number, not 1.5."),
        ("sql", {"statement": "SELECT 1", "max_rows": True}, "max_rows must be a whole number, not true."),
        ("sql", {"statement": "SELECT 1", "response_format": "long"}, 'must be "concise" or "detailed", not "long".'),
        ("sql", {"statement": "SELECT ?", "params": [[1]]}, "params must be a list of plain values or an object"),
        ("sql", {"statement": "SELECT ?", "params": 7}, "params must be a list of plain values or an object"),
        ("describe_dataset", {"dataset": ["people"]}, 'dataset must be a string, not ["people"].'),
        ("ingest", {"source": 5}, "source must be a string or a list of strings or an object with text and name"),
        ("ingest", {"source": {"text": "a"}}, "source must be"),
        (
            "ingest",
            {"source": "a", "mode": "merge"},
            'mode must be "append" or "replace" or "upsert" or "delete", not "merge".',
        ),
        ("ingest", {"source": "a", "key": 5}, "key must be a list of strings, not 5."),
        ("search", {"query": "a", "mode": "fuzzy"}, 'mode must be "hybrid" or "vector" or "keyword", not "fuzzy".'),
        ("search", {"query": "a", "datasets": "people"}, 'datasets must be a list of strings, not "people".'),
        ("search", {"query": "a", "filter": "x"}, "search has no argument filter. "),
        ("fetch", {}, "fetch needs the argument id: a string."),
        ("build_index", {"dataset": "a", "params": {"M": "x"}}, "params must be an object of numbers"),
        ("drop_dataset", {"dataset": "people"}, "drop_dataset needs the argument confirm: a string."),
    ],
)
async def test_arguments_that_do_not_fit_are_told_in_one_sentence(
    client: Client, tool: str, arguments: dict[str, Any], says: str
) -> None:
    said = await error(client, tool, **arguments)
    assert says in said
    assert "\n" not in said
    assert len(said) < 200


async def test_long_values_are_not_repeated(client: Client) -> None:
    assert len(await error(client, "sql", statement="SELECT 1", max_rows="9" * 100_000 + "x")) < 200
    assert len(await error(client, "sql", **{"n" * 100_000: 1})) < 300


async def test_a_tool_that_is_not_there_is_told_with_those_that_are(client: Client) -> None:
    said = await error(client, "query")
    assert said.startswith('"query" cannot be called: there is no such tool. Tools: list_datasets, ')


@pytest.mark.parametrize(
    ("tool", "arguments", "happened", "hint"),
    [
        ("sql", {"statement": "SELEC 1"}, "SELEC", "hint: "),
        ("sql", {"statement": "SELECT nam FROM people"}, "nam", "name"),
        ("sql", {"statement": "FROM peple"}, "there is no dataset 'peple'", "did you mean people?"),
        ("sql", {"statement": "DROP TABLE people"}, "sql only reads", "hint: send one SELECT"),
        ("sql", {"statement": "SELECT 1; SELECT 2"}, "2 statements", "hint: "),
        ("sql", {"statement": ""}, "no statement", "hint: "),
        ("sql", {"statement": "FROM people AT (VERSION => 9)"}, "9", "hint: "),
        ("sql", {"statement": f"FROM result('{NO_RESULT}')"}, "gone", "run its sql statement again"),
        ("read_result", {"result_uri": NO_RESULT}, "gone", "run its sql statement again"),
        ("read_result", {"result_uri": "file:///etc/passwd"}, "is not a result URI", "lakehouse://results/"),
        ("describe_dataset", {"dataset": "peopel"}, "there is no dataset 'peopel'", "did you mean people?"),
        ("describe_dataset", {"dataset": "people", "sample_rows": -1}, "sample_rows is -1", "hint: "),
        ("list_datasets", {"limit": 0}, "limit is 0", "hint: "),
        ("ingest", {"source": "/etc/passwd"}, "outside the folders that may be read", "--allow"),
        ("ingest", {"source": {"text": "", "name": "x.csv"}}, "empty", "hint: "),
        ("drop_dataset", {"dataset": "people", "confirm": "yes"}, "confirm is 'yes'", "name again"),
        ("drop_dataset", {"dataset": "nobody", "confirm": "nobody"}, "there is no dataset", "hint: "),
        ("search", {"query": "x"}, "no dataset is searchable yet", "build_index(dataset, columns)"),
        ("search", {"query": "x", "datasets": ["people"]}, "people", "build_index"),
        ("fetch", {"id": "people"}, "is not the id of a passage", "an id that search or ask returned"),
        ("ask", {"question": "?"}, "the question is empty", "hint: "),
        ("build_index", {"dataset": "people"}, "has no text columns", "those with text: name, city"),
        ("build_index", {"dataset": "people", "columns": ["nam"]}, "has no column 'nam'", "columns: id, name"),
        ("rollback_index", {"dataset": "people"}, "people", "hint: "),
        ("restore_dataset", {"dataset": "people"}, "is there, at version 0", "system.versions"),
        ("restore_dataset", {"dataset": "people", "version": 99}, "99", "hint: "),
    ],
)
async def test_a_call_that_fails_says_what_happened_and_what_to_do(
    client: Client, tool: str, arguments: dict[str, Any], happened: str, hint: str
) -> None:
    said = await error(client, tool, **arguments)
    assert happened.lower() in said.lower()
    assert hint in said


async def test_a_failure_changes_nothing_and_harms_no_later_call(client: Client) -> None:
    await error(client, "sql", statement="SELECT 1/0::nonsense")
    await error(client, "ingest", source="/nowhere.csv", dataset="people")
    assert await rows(client, "SELECT count(*) FROM people") == [[3]]


async def test_data_of_another_shape_is_refused_with_both_schemas(own: Served, era: str) -> None:
    path = own.put("odd.csv", "id,name,city,born\nabc,Ada,London,1815-12-10\n")
    async with own.connected(era) as client:
        said = await error(client, "ingest", source=path, dataset="people")
        for fact in ("dataset", "new data", "! id", "VARCHAR", "born", "hint: "):
            assert fact in said
        assert await rows(client, "SELECT count(*) FROM people") == [[3]]


async def test_a_read_only_server_offers_and_does_no_changes(reader: Client) -> None:
    names = [tool.name for tool in (await reader.list_tools()).tools]
    assert names == ["list_datasets", "describe_dataset", "sql", "read_result", "search", "fetch", "ask"]
    for tool, arguments in {
        "ingest": {"source": {"text": "a\n1\n", "name": "x.csv"}},
        "build_index": {"dataset": "people", "columns": ["name"]},
        "rollback_index": {"dataset": "people"},
        "drop_dataset": {"dataset": "people", "confirm": "people"},
        "restore_dataset": {"dataset": "people", "version": 0},
    }.items():
        said = await error(reader, tool, **arguments)
        assert said.startswith(f'"{tool}" cannot be called: the lake is served read-only. Tools: list_datasets, ')
    assert "ingest" not in (reader.instructions or "")
    assert await rows(reader, "SELECT count(*) FROM people") == [[3]]


async def test_a_lake_opened_read_only_is_served_so(own: Served, era: str) -> None:
    own.lake.close()
    from mcp_lakehouse import Lakehouse

    with Lakehouse.open(own.lake.settings.lake, read_only=True) as lake:
        async with Client(build_server(lake), mode=era) as client:
            assert len((await client.list_tools()).tools) == 7
            assert (await call(client, "list_datasets"))["datasets"][0]["name"] == "people"
