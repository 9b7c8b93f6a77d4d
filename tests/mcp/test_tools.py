"""What each tool does when it is called well."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcp import Client

from mcp_lakehouse.store.local import LocalBucket
from tests.mcp.calling import Served, call, rows, text

pytestmark = pytest.mark.anyio

OVERSEEING = ("list_buckets", "list_profiles", "list_errors", "index_trials")


async def test_the_server_says_what_it_is_and_how_to_begin(client: Client) -> None:
    info = client.server_info
    assert info is not None
    assert (info.name, info.title) == ("mcp-lakehouse", "Lakehouse")
    assert client.instructions is not None
    for tool in ("list_datasets", "describe_dataset", "sql", "search", "fetch", "ask", "ingest"):
        assert tool in client.instructions


async def test_every_tool_says_what_it_may_do(client: Client) -> None:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for name, tool in tools.items():
        assert tool.title
        assert tool.description
        assert tool.output_schema
        hints = tool.annotations
        assert hints is not None
        assert None not in (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint)
        reading = ("list_datasets", "describe_dataset", "sql", "read_result", "search", "fetch", "ask", *OVERSEEING)
        assert hints.read_only_hint == (name in reading)
        assert hints.destructive_hint == (name == "drop_dataset")


async def test_list_datasets_gives_a_line_for_each(client: Client) -> None:
    listed = await call(client, "list_datasets", match="pioneers")
    (people,) = listed["datasets"]
    assert people.pop("updated_at").endswith("Z")
    assert people == {
        "name": "people", "description": "Three pioneers", "kind": "table",
        "rows": 3, "columns": 4, "version": 0, "searchable": False,
    }  # fmt: skip
    said = await text(client, "list_datasets", match="PEOPLE")
    assert said.startswith("people: table, 3 rows x 4 columns, v0, ")
    assert said.endswith("Three pioneers")
    assert (await call(client, "list_datasets", match="nothing"))["datasets"] == []


async def test_list_datasets_pages_with_a_cursor(own: Served, era: str) -> None:
    for name in ("a", "b", "c"):
        own.lake.ingest({"text": f"x\n{name}\n", "name": f"{name}.csv"})
    async with own.connected(era) as client:
        first = await call(client, "list_datasets", limit=2)
        assert [each["name"] for each in first["datasets"]] == ["a", "b"]
        rest = await call(client, "list_datasets", limit=2, cursor=first["next_cursor"])
        assert [each["name"] for each in rest["datasets"]] == ["c", "people"]
        assert "next_cursor" not in rest
        assert repr(first["next_cursor"]) in await text(client, "list_datasets", limit=2)


async def test_describe_dataset_gives_types_statistics_sample_and_lineage(client: Client) -> None:
    described = await call(client, "describe_dataset", dataset="people")
    assert (described["rows"], described["version"], described["key"]) == (3, 0, ["id"])
    columns = {column["name"]: column for column in described["columns"]}
    assert [(name, column["type"]) for name, column in columns.items()][1:] == [
        ("name", "VARCHAR"), ("city", "VARCHAR"), ("born", "DATE"),
    ]  # fmt: skip
    assert (columns["city"]["nulls"], columns["city"]["min"], columns["id"]["max"]) == (1, "London", 3)
    assert described["sample"][0] == [1, "Ada", "London", "1815-12-10"]
    assert (described["lineage"][0]["source"], described["lineage"][0]["rows"]) == ("people.csv", 3)
    said = await text(client, "describe_dataset", dataset="people")
    for fact in ("Three pioneers", "key: id", "born DATE", "1 nulls", "London .. New York", "Ada", "from people.csv"):
        assert fact in said
    assert "sample:" not in await text(client, "describe_dataset", dataset="people", sample_rows=0)


async def test_sql_gives_columns_rows_and_a_handle(client: Client) -> None:
    statement = "SELECT name, born FROM people WHERE id < 3 ORDER BY id"
    result = await call(client, "sql", statement=statement)
    assert result["columns"] == [{"name": "name", "type": "VARCHAR"}, {"name": "born", "type": "DATE"}]
    assert result["rows"] == [["Ada", "1815-12-10"], ["Grace", "1906-12-09"]]
    assert (result["row_count"], result["truncated"]) == (2, False)
    assert result["result_uri"].startswith("lakehouse://results/")
    said = (await text(client, "sql", statement=statement)).splitlines()
    assert said[:3] == ["name VARCHAR | born DATE", "Ada | 1815-12-10", "Grace | 1906-12-09"]
    assert said[3].startswith("(2 rows; ")
    assert "whole result: lakehouse://results/" in said[3]


async def test_sql_takes_parameters_by_position_and_by_name(client: Client) -> None:
    assert await rows(client, "SELECT name FROM people WHERE id = ?", params=[2]) == [["Grace"]]
    assert await rows(client, "SELECT name FROM people WHERE city = $city", params={"city": "London"}) == [["Ada"]]
    assert await rows(client, "SELECT ? IS NULL", params=[None]) == [[True]]


async def test_detailed_sql_names_what_it_read(client: Client) -> None:
    result = await call(client, "sql", statement="SELECT count(*) FROM people", response_format="detailed")
    assert result["datasets"] == {"people": 0}
    said = await text(client, "sql", statement="SELECT count(*) FROM people", response_format="detailed")
    assert "people v0" in said


async def test_read_result_pages_to_the_end(client: Client) -> None:
    result = await call(client, "sql", statement="FROM range(250) t(i)")
    assert (len(result["rows"]), result["row_count"], result["truncated"]) == (100, 250, True)
    page = await call(client, "read_result", result_uri=result["result_uri"], offset=100)
    assert (page["rows"][0], page["rows"][-1], page["truncated"]) == ([100], [199], True)
    last = await call(client, "read_result", result_uri=result["result_uri"], offset=200)
    assert (last["rows"][-1], len(last["rows"]), last["truncated"]) == ([249], 50, False)
    assert "(50 of 250 rows" in await text(client, "read_result", result_uri=result["result_uri"], offset=200)


async def test_a_result_is_a_table_in_a_later_statement(client: Client) -> None:
    result = await call(client, "sql", statement="FROM range(1000) t(i)")
    assert await rows(client, f"SELECT sum(i)::INT FROM result('{result['result_uri']}')") == [[499_500]]


async def test_ingest_loads_and_says_what_it_made_of_the_data(own: Served, era: str) -> None:
    path = own.put("trips.csv", "km,at\n3,2026-01-02\nx,2026-01-03\n5,2026-01-04\n" + "7,2026-02-01\n" * 200)
    async with own.connected(era) as client:
        report = await call(client, "ingest", source=path, description="Where we went")
        assert (report["dataset"], report["version"], report["unchanged"]) == ("trips", 0, False)
        assert (report["rows_added"], report["rows_rejected"]) == (202, 1)
        assert [column["column"] for column in report["inferred"]] == ["km", "at"]
        assert report["inferred"][1] == {"column": "at", "type": "DATE"}
        rejects = await call(client, "read_result", result_uri=report["rejects_uri"])
        assert (rejects["row_count"], "x,2026-01-03" in str(rejects["rows"])) == (1, True)
        again = await text(client, "ingest", source=path)
        assert "unchanged" in again
        assert await rows(client, "SELECT count(*) FROM trips") == [[202]]


async def test_ingest_says_in_words_what_its_data_says(own: Served, era: str) -> None:
    async with own.connected(era) as client:
        source = {"text": "id,n\n1,a\nx,b\n" + "3,c\n" * 100, "name": "numbers.csv"}
        said = await text(client, "ingest", source=source)
    assert said.startswith("numbers v0: 101 rows added, 1 rejected (see lakehouse://rejects/")
    assert "columns: id " in said
    assert ", n VARCHAR" in said


async def test_several_sources_and_inline_text_are_loaded(own: Served, era: str) -> None:
    paths = [own.put("a.csv", "n\n1\n"), own.put("b.csv", "n\n2\n")]
    async with own.connected(era) as client:
        assert (await call(client, "ingest", source=paths, dataset="both"))["rows_added"] == 2
        inline = await call(client, "ingest", source={"text": "α\tβ\nж\t漢字\n", "name": "scripts.tsv"})
        assert inline["dataset"] == "scripts"
        assert await rows(client, "FROM scripts") == [["ж", "漢字"]]


async def test_an_upsert_updates_by_key(own: Served, era: str) -> None:
    path = own.put("more.csv", "id,name,city,born\n3,Edsger,Austin,1930-05-11\n4,Barbara,Boston,1939-11-07\n")
    async with own.connected(era) as client:
        report = await call(client, "ingest", source=path, dataset="people", mode="upsert")
        assert (report["rows_added"], report["rows_updated"], report["version"]) == (1, 1, 1)
        assert await rows(client, "SELECT city FROM people WHERE id = 3") == [["Austin"]]
        assert await rows(client, "SELECT city FROM people AT (VERSION => 0) WHERE id = 3") == [[None]]


async def test_what_was_dropped_comes_back(own: Served, era: str) -> None:
    async with own.connected(era) as client:
        dropped = await call(client, "drop_dataset", dataset="people", confirm="people")
        assert dropped["dropped"] == "people"
        assert dropped["restorable_until"]
        assert (await call(client, "list_datasets"))["datasets"] == []
        assert "people" in await text(client, "restore_dataset", dataset="people")
        assert await rows(client, "SELECT count(*) FROM people") == [[3]]


async def test_an_older_version_becomes_the_newest(own: Served, era: str) -> None:
    own.lake.ingest({"text": "id,name,city,born\n9,Alan,Wilmslow,1912-06-23\n", "name": "x.csv"}, dataset="people")
    async with own.connected(era) as client:
        restored = await call(client, "restore_dataset", dataset="people", version=0)
        assert restored == {"dataset": "people", "version": 2}
        assert await rows(client, "SELECT count(*) FROM people") == [[3]]


async def test_replay_rescued_says_what_became_of_each(own: Served, era: str, tmp_path: Path) -> None:
    own.lake.rescue.bucket = LocalBucket(tmp_path / "rescue")
    for at in ("2026-01-02T03:04:05+00:00", "no time at all"):
        own.lake.rescue.keep_journal({"errors": [{"time": at, "code": "storage_failed", "operation": "ingest"}]})
    async with Client(own.server, mode=era) as client:
        assert (await call(client, "list_buckets"))["rescued"] == 2
        said = await text(client, "replay_rescued")
        assert "system of 20" in said
        assert ": written" in said.splitlines()[0]
        assert "still waits" in said.splitlines()[1]
        assert await rows(client, "SELECT count(*) FROM system.errors WHERE code = 'storage_failed'") == [[1]]
