"""Whole sessions with real server processes: stdio and Streamable HTTP, each in both eras."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import psutil
import pytest
from mcp import Client
from mcp.client.subscriptions import ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceUpdatedNotification, TextResourceContents

from mcp_lakehouse import Lakehouse
from tests.mcp.calling import call, error, rows, text
from tests.mcp.connecting import TOKEN, http_server, over_http, over_stdio
from tests.mcp.processes import SLOW_PAGE, ends, worker_at_work, workers

# Clients of earlier revisions subscribe in a way that the newest has removed.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

SECONDS = 10

TRIPS = "city,km\nOslo,3\nBergen,5\nOslo,4\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server over HTTP for the module, and its folder."""
    folder = tmp_path_factory.mktemp("http")
    with http_server(folder) as (url, _):
        yield url, folder


@asynccontextmanager
async def connected(transport: str, era: str, folder: Path, url: str) -> AsyncIterator[Client]:
    if transport == "http":
        async with over_http(url, era) as client:
            yield client
    else:
        async with over_stdio(folder, era) as (client, _):
            yield client


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_whole_session(served: tuple[str, Path], tmp_path: Path, transport: str, era: str) -> None:
    url, shared = served
    folder = shared if transport == "http" else tmp_path
    name = f"trips_{transport}_{era}"
    async with connected(transport, era, folder, url) as client:
        (folder / "files" / f"{name}.csv").write_text(TRIPS)
        told: list[float] = []

        async def progress(done: float, _total: float | None, _message: str | None) -> None:
            told.append(done)

        source = {"source": str(folder / "files" / f"{name}.csv")}
        report = await client.call_tool("ingest", source, progress_callback=progress)
        assert not report.is_error, report
        assert told == sorted(told)
        assert name in await text(client, "list_datasets")
        assert (await call(client, "describe_dataset", dataset=name))["rows"] == 3
        result = await call(
            client, "sql", statement=f"SELECT city, sum(km)::INT AS km FROM {name} GROUP BY 1 ORDER BY 1"
        )
        assert result["rows"] == [["Bergen", 5], ["Oslo", 7]]
        page = await call(client, "read_result", result_uri=result["result_uri"], offset=1)
        assert page["rows"] == [["Oslo", 7]]
        assert "did you mean" in await error(client, "sql", statement=f"FROM {name}x")
        (content,) = (await client.read_resource(f"lakehouse://datasets/{name}")).contents
        assert isinstance(content, TextResourceContents)
        assert json.loads(content.text)["rows"] == 3
        assert (await client.get_prompt("explore_dataset", {"dataset": name})).messages
        reference = PromptReference(type="ref/prompt", name="explore_dataset")
        found = await client.complete(reference, {"name": "dataset", "value": name})
        assert found.completion.values == [name]
        await call(client, "drop_dataset", dataset=name, confirm=name)
        await call(client, "restore_dataset", dataset=name)
        assert await rows(client, f"SELECT count(*) FROM {name}") == [[3]]


async def test_without_the_right_token_nobody_connects(served: tuple[str, Path], era: str) -> None:
    with pytest.raises((MCPError, httpx2.HTTPStatusError, ExceptionGroup)):
        async with over_http(served[0], era, token=TOKEN[:-1]) as client:
            await client.list_tools()


async def test_a_subscriber_over_http_hears_of_a_change(served: tuple[str, Path]) -> None:
    uri, told = "lakehouse://datasets", anyio.Event()

    async def listen(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            told.set()

    async with (
        over_http(served[0], "legacy", message_handler=listen) as earlier,
        over_http(served[0], "auto") as modern,
        modern.listen(resource_subscriptions=[uri]) as events,
    ):
        await earlier.subscribe_resource(uri)
        await call(modern, "ingest", source={"text": "a\n1\n", "name": "heard.csv"})
        with anyio.fail_after(SECONDS):
            assert await anext(aiter(events)) == ResourceUpdated(uri=uri)
            await told.wait()


async def test_who_changed_a_dataset_is_kept(served: tuple[str, Path], era: str) -> None:
    name = f"kept_{era}"
    async with over_http(served[0], era) as client:
        await call(client, "ingest", source={"text": "a\n1\n", "name": f"{name}.csv"})
        (who,) = await rows(client, f"SELECT who FROM system.operations WHERE dataset = '{name}'")
        assert who[0].startswith("mcp")


async def test_two_servers_on_one_lake_see_what_the_other_did(tmp_path: Path) -> None:
    async with over_stdio(tmp_path, "auto") as (first, _), over_stdio(tmp_path, "legacy") as (second, _):
        await call(first, "ingest", source={"text": TRIPS, "name": "trips.csv"})
        assert await rows(second, "SELECT count(*) FROM trips") == [[3]]
        more = {"text": "city,km\nTromsø,9\n", "name": "more.csv"}
        assert (await call(second, "ingest", source=more, dataset="trips"))["version"] == 1
        assert await rows(first, "SELECT max(km)::INT FROM trips") == [[9]]
        assert (await call(first, "ingest", source=more, dataset="trips"))["unchanged"] is True
        await call(second, "drop_dataset", dataset="trips", confirm="trips")
        assert "was dropped" in await error(first, "sql", statement="FROM trips")


async def test_a_server_killed_in_a_load_leaves_the_last_version_and_no_worker(tmp_path: Path) -> None:
    async with over_stdio(tmp_path, "auto") as (client, server):
        (tmp_path / "files" / "trips.csv").write_text(TRIPS)
        await call(client, "ingest", source=str(tmp_path / "files" / "trips.csv"))
        slow = tmp_path / "files" / "slow.html"
        slow.write_text(SLOW_PAGE)
        async with anyio.create_task_group() as group:

            async def load() -> None:
                with pytest.raises(MCPError):
                    await client.call_tool("ingest", {"source": str(slow), "dataset": "trips", "mode": "replace"})

            group.start_soon(load)
            worker = await anyio.to_thread.run_sync(worker_at_work, server)
            below = workers(server)
            psutil.Process(server).kill()
        assert worker in below
        assert all(ends(each) for each in below)
    with Lakehouse.open(tmp_path / "lake", allow=[tmp_path / "files"]) as lake:
        assert lake.describe_dataset("trips").version == 0
        assert lake.sql("SELECT count(*) FROM trips").rows == [[3]]
        more = {"text": "city,km\nVardø,8\n", "name": "more.csv"}
        assert lake.ingest(more, dataset="trips").version == 1
