"""What an administrator is shown of failures and index builds, and a reader is not."""

from __future__ import annotations

import json

import anyio
import pytest
from mcp import Client
from mcp.client.subscriptions import ResourceUpdated
from mcp_types import TextResourceContents

from tests.mcp.calling import Served, call, error, text

pytestmark = pytest.mark.anyio

SECONDS = 10
ERRORS = "lakehouse://errors"


async def test_list_errors_gives_what_failed_with_its_hint(own: Served, era: str) -> None:
    async with Client(own.server, mode=era) as client:
        assert (await call(client, "list_errors"))["errors"] == []
        await error(client, "describe_dataset", dataset="peeple")
        await error(client, "sql", statement="SELECT nothing FROM people")
        listed = await call(client, "list_errors", limit=1)
        assert (listed["total"], listed["truncated"]) == (2, True)
        (newest,) = listed["errors"]
        assert (newest["code"], newest["operation"]) == ("statement_failed", "sql")
        (other,) = (await call(client, "list_errors", dataset="peeple"))["errors"]
        assert "did you mean people?" in other["hint"]
        said = await text(client, "list_errors")
        assert "not_found describe_dataset peeple" in said
        assert "hint: did you mean people?" in said
        assert "(2 of 2 errors)" in said
        assert (await call(client, "list_errors", since="2999-01-01"))["total"] == 0
        assert "2026-01-31" in await error(client, "list_errors", since="lately")
        assert "1 to 1,000" in await error(client, "list_errors", limit=0)


async def test_long_errors_are_cut_and_many_fit_a_reply(own: Served, era: str) -> None:
    many = [{"time": "2026-01-02T00:00:00+00:00", "code": "x", "message": "m" * 5_000, "operation": "sql"}] * 300
    own.lake._journals.append("errors", many)
    async with Client(own.server, mode=era) as client:
        listed = await call(client, "list_errors", limit=200)
        assert (listed["total"], listed["truncated"]) == (300, True)
        assert len(json.dumps(listed)) < 9_000
        assert listed["errors"][0]["message"].endswith("more characters]")


async def test_index_trials_gives_every_build(own: Served, era: str) -> None:
    async with Client(own.server, mode=era) as client:
        await call(client, "build_index", dataset="people", columns=["name"])
        await call(client, "build_index", dataset="people", params={"min_recall": 1.01})
        listed = await call(client, "index_trials", dataset="people")
        assert [each["published"] for each in listed["trials"]] == [False, True]
        said = await text(client, "index_trials")
        assert "people 2: not published" in said
        assert "people 1: published" in said
        assert "recall@10 1" in said
        assert "there is no dataset" in await error(client, "index_trials", dataset="nobody")


async def test_a_reader_is_told_that_these_are_withheld(reader: Client) -> None:
    offered = {tool.name for tool in (await reader.list_tools()).tools}
    for name in ("list_errors", "index_trials"):
        assert name not in offered
        assert "the lake is served read-only" in await error(reader, name)


async def test_errors_are_a_resource_that_tells_of_new_ones(own: Served) -> None:
    async with Client(own.server) as client, client.listen(resource_subscriptions=[ERRORS]) as events:
        await error(client, "describe_dataset", dataset="nobody")
        with anyio.fail_after(SECONDS):
            async for event in events:
                assert event == ResourceUpdated(uri=ERRORS)
                break
        (content,) = (await client.read_resource(ERRORS)).contents
        assert isinstance(content, TextResourceContents)
        assert [each["dataset"] for each in json.loads(content.text)["errors"]] == ["nobody"]
