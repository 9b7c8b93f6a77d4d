"""Long calls: others go on meanwhile, progress is told, and a cancelled one is over at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp import Client

from tests.mcp.calling import call, error, rows
from tests.mcp.connecting import http_server, over_http, over_stdio
from tests.mcp.processes import LONG, SLOW_PAGE, cpu_seconds, ends, worker_at_work

# Clients of earlier revisions ping in a way that the newest has removed.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

SECONDS = 20
QUIET_CPU_SECONDS = 0.1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file that takes very long to load, and a table that takes some seconds."""
    folder = tmp_path_factory.mktemp("long")
    (folder / "files").mkdir()
    (folder / "files" / "slow.html").write_text(SLOW_PAGE)
    with open(folder / "files" / "large.csv", "w") as file:
        file.writelines(["id,city,km\n", *["1,Hammerfest,93\n" * 100_000] * 80])
    return folder


@asynccontextmanager
async def running(client: Client, tool: str, **arguments: Any) -> AsyncIterator[None]:
    """A call that runs until the context ends, which cancels it."""
    async with anyio.create_task_group() as group:
        group.start_soon(client.call_tool, tool, arguments)
        yield
        group.cancel_scope.cancel()


async def at_work(server: int) -> Any:
    return await anyio.to_thread.run_sync(worker_at_work, server)


async def check_quiet(server: int, era: str) -> None:
    # The eras differ in how the word reaches the server, not in what it does then: measuring takes time.
    if era != "legacy":
        assert await anyio.to_thread.run_sync(lambda: cpu_seconds(server)) < QUIET_CPU_SECONDS


async def test_a_cancelled_statement_is_over_and_others_never_waited(folder: Path, era: str) -> None:
    async with over_stdio(folder, era) as (client, server):
        async with running(client, "sql", statement=LONG):
            worker = await at_work(server)
            with anyio.fail_after(SECONDS):
                assert await rows(client, "SELECT 1") == [[1]]
                assert "datasets" in await call(client, "list_datasets")
                if era == "legacy":
                    await client.send_ping()
            assert await at_work(server) == worker
        assert await anyio.to_thread.run_sync(ends, worker)
        await check_quiet(server, era)
        assert await rows(client, "SELECT 2") == [[2]]


async def test_a_cancelled_load_is_over_and_leaves_nothing(folder: Path, era: str) -> None:
    async with over_stdio(folder, era) as (client, server):
        async with running(client, "ingest", source=str(folder / "files" / "slow.html"), dataset=f"never_{era}"):
            worker = await at_work(server)
            with anyio.fail_after(SECONDS):
                assert await rows(client, "SELECT 1") == [[1]]
            assert await at_work(server) == worker
        assert await anyio.to_thread.run_sync(ends, worker)
        await check_quiet(server, era)
        assert (await call(client, "list_datasets", match="never"))["datasets"] == []
        report = await call(client, "ingest", source={"text": "a\n1\n", "name": "small.csv"}, dataset=f"after_{era}")
        assert report["rows_added"] == 1


async def test_a_call_cancelled_over_http_is_over(tmp_path: Path, era: str) -> None:
    with http_server(tmp_path) as (url, server):
        async with over_http(url, era) as client:
            async with running(client, "sql", statement=LONG):
                worker = await at_work(server)
            assert await anyio.to_thread.run_sync(ends, worker)
            assert await rows(client, "SELECT 2") == [[2]]


async def test_a_statement_over_its_time_is_stopped_with_a_way_out(tmp_path: Path) -> None:
    async with over_stdio(tmp_path, "auto", LAKEHOUSE_SQL_TIMEOUT="0.5") as (client, _):
        said = await error(client, "sql", statement=LONG)
        assert "was stopped after 0.5 s" in said
        assert "hint: " in said


async def test_a_long_load_tells_how_far_it_is(folder: Path, era: str) -> None:
    told: list[tuple[float, float | None, str | None]] = []
    enough = anyio.Event()

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))
        if len(told) == 3:
            enough.set()

    async with over_stdio(folder, era) as (client, _), anyio.create_task_group() as group:
        source = {"source": str(folder / "files" / "large.csv"), "dataset": f"large_{era}"}
        group.start_soon(lambda: client.call_tool("ingest", source, progress_callback=progress))
        with anyio.fail_after(SECONDS):
            await enough.wait()
        group.cancel_scope.cancel()
    done = [each[0] for each in told]
    assert done == sorted(set(done))
    assert all(total is not None and each <= total for each, total, _ in told)
    assert all(message for _, _, message in told)
