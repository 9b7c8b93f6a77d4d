"""Replies stay small whatever the data, and what is left out can be had."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client

from tests.mcp.calling import Served, call, error, text, tokens
from tests.mcp.serving import served

pytestmark = pytest.mark.anyio

COLUMNS = 1_000
# A default reply has about 2,000 tokens; the handle, the types and one wide row may add to it.
REPLY_TOKENS = 2_600
HUGE = 10**9


@pytest.fixture
def era() -> str:
    """One is enough here: a reply is made before it is known who asked."""
    return "auto"


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lake with very many columns, long texts, and very many datasets with long descriptions."""
    folder: Path = tmp_path_factory.mktemp("wide")
    header = ",".join(f"column_{number}" for number in range(COLUMNS))
    (folder / "wide.csv").write_text(f"{header}\n" + ",".join(["1"] * COLUMNS) + "\n")
    (folder / "long.csv").write_text("id,text\n" + "".join(f"{number},{'lorem ' * 2_000}\n" for number in range(20)))
    with served(folder) as found:
        found.lake.ingest(folder / "wide.csv")
        found.lake.ingest(folder / "long.csv")
        for number in range(30):
            source = {"text": f"n\n{number}\n", "name": f"small_{number:02}.csv"}
            found.lake.ingest(source, description="what this is " * 100)
        yield found


async def fits(client: Client, tool: str, **arguments: object) -> None:
    structured = await call(client, tool, **arguments)
    assert tokens(json.dumps(structured, ensure_ascii=False, separators=(",", ":"))) < REPLY_TOKENS
    assert tokens(await text(client, tool, **arguments)) < REPLY_TOKENS


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_datasets", {}),
        ("describe_dataset", {"dataset": "wide"}),
        ("describe_dataset", {"dataset": "long"}),
        ("sql", {"statement": "FROM wide"}),
        ("sql", {"statement": "FROM long"}),
        ("sql", {"statement": "SELECT repeat('x', 100_000) FROM range(200)"}),
        ("sql", {"statement": "SELECT range(100_000) AS many, {'a': repeat('y', 100_000)} AS nested"}),
        ("sql", {"statement": "DESCRIBE wide"}),
        ("sql", {"statement": "SELECT md5(i::VARCHAR) AS a, md5(i::VARCHAR) AS b FROM range(100_000) t(i)"}),
    ],
)
async def test_a_default_reply_is_about_two_thousand_tokens_at_most(
    wide: Served, era: str, tool: str, arguments: dict[str, object]
) -> None:
    async with wide.connected(era) as client:
        await fits(client, tool, **arguments)


async def test_columns_that_are_left_out_are_told_and_can_be_had(wide: Served, era: str) -> None:
    async with wide.connected(era) as client:
        result = await call(client, "sql", statement="FROM wide")
        shown = len(result["columns"])
        assert result["truncated"] is True
        assert result["note"] == f"{shown} of 1,000 columns are shown; select the ones you need by name"
        assert result["note"] in await text(client, "sql", statement="FROM wide")
        assert {len(row) for row in result["rows"]} == {shown}
        assert (await call(client, "sql", statement="SELECT column_999 FROM wide"))["rows"] == [[1]]
        described = await call(client, "describe_dataset", dataset="wide")
        assert described["truncated"] is True
        assert len(described["sample"][0]) == len(described["columns"])
        assert "system.columns" in await text(client, "describe_dataset", dataset="wide")
        names = await call(client, "sql", statement="SELECT count(*) FROM system.columns WHERE dataset = 'wide'")
        assert names["rows"] == [[COLUMNS]]


async def test_an_ingest_of_many_columns_reports_some_of_them(own: Served, era: str) -> None:
    path = own.put("wide.csv", ",".join(f"c{number}" for number in range(500)) + "\n" + ",".join(["1"] * 500))
    async with own.connected(era) as client:
        report = await call(client, "ingest", source=path)
    assert tokens(json.dumps(report)) < REPLY_TOKENS
    assert f"{len(report['inferred'])} of 500 columns are shown; system.columns has all" in report["notes"]


async def test_more_columns_than_the_limit_are_refused_with_the_limit(own: Served, era: str) -> None:
    path = own.put("wider.csv", ",".join(f"c{number}" for number in range(10_000)) + "\n" + ",".join(["1"] * 10_000))
    async with own.connected(era) as client:
        said = await error(client, "ingest", source=path)
        assert "10,000 columns" in said
        assert "4,096" in said
        assert [each["name"] for each in (await call(client, "list_datasets"))["datasets"]] == ["people"]


async def test_datasets_that_do_not_fit_are_on_the_next_page(wide: Served, era: str) -> None:
    seen: list[str] = []
    cursor = None
    async with wide.connected(era) as client:
        while cursor is not None or not seen:
            page = await call(client, "list_datasets", **({"cursor": cursor} if cursor else {}))
            seen += [each["name"] for each in page["datasets"]]
            cursor = page.get("next_cursor")
    assert seen == sorted(seen)
    assert len(seen) == 32


async def test_a_long_cell_is_cut_and_said_to_be(wide: Served, era: str) -> None:
    async with wide.connected(era) as client:
        result = await call(client, "sql", statement="SELECT text FROM long LIMIT 1")
        assert result["rows"][0][0].endswith("more characters]")
        assert result["truncated"] is True
        whole = await call(client, "sql", statement="SELECT text FROM long LIMIT 1", response_format="detailed")
        assert whole["rows"][0][0].strip() == ("lorem " * 2_000).strip()
        assert whole["truncated"] is False


async def test_max_rows_raises_the_budget_up_to_its_limits(wide: Served, era: str) -> None:
    statement = "SELECT i, repeat('x', 1_000) AS x FROM range(5_000) t(i)"
    async with wide.connected(era) as client:
        result = await call(client, "sql", statement=statement, max_rows=1_000)
        assert 200 < len(result["rows"]) <= 1_000
        assert len(json.dumps(result)) < 280_000
        assert (result["row_count"], result["truncated"]) == (5_000, True)
        # Whoever pages goes on after the rows that were shown.
        following = await call(client, "read_result", result_uri=result["result_uri"], offset=len(result["rows"]))
        assert following["rows"][0][0] == len(result["rows"])
        plain = await call(client, "sql", statement="FROM range(5_000) t(i)", max_rows=1_000)
        assert len(plain["rows"]) == 1_000


@pytest.mark.parametrize("max_rows", [0, -1, HUGE, 10**30])
async def test_absurd_row_limits_are_refused_with_the_valid_ones(wide: Served, era: str, max_rows: int) -> None:
    async with wide.connected(era) as client:
        said = await error(client, "sql", statement="FROM long", max_rows=max_rows)
        assert "it must be 1 to 1,000" in said
        result = await call(client, "sql", statement="SELECT 1")
        said = await error(client, "read_result", result_uri=result["result_uri"], max_rows=max_rows)
        assert "it must be 1 to 1,000" in said


async def test_absurd_offsets_are_refused_or_empty(wide: Served, era: str) -> None:
    async with wide.connected(era) as client:
        uri = (await call(client, "sql", statement="FROM range(10) t(i)"))["result_uri"]
        assert "give 0 or more" in await error(client, "read_result", result_uri=uri, offset=-1)
        for offset in (10, HUGE, 10**30):
            page = await call(client, "read_result", result_uri=uri, offset=offset)
            assert (page["rows"], page["row_count"], page["truncated"]) == ([], 10, False)
            assert "(0 of 10 rows" in await text(client, "read_result", result_uri=uri, offset=offset)
