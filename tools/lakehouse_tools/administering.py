"""Tools for whoever looks after a lake: list_buckets, list_profiles, list_errors, index_trials, replay_rescued."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp_types import CallToolResult
from pydantic import Field

from lakehouse_tools.calls import Calls, Ctx, progress_to
from lakehouse_tools.registry import add_tool
from lakehouse_tools.render import result
from lakehouse_tools.subscriptions import Subscribers
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.lakehouse import Lakehouse
from mcp_lakehouse.records import BucketList, ErrorList, ProfileList, ReplayReport, TrialList

# The right that each tool takes.
RIGHTS = {
    **dict.fromkeys(("list_buckets", "list_profiles", "list_errors", "index_trials"), "admin"),
    "replay_rescued": "replay",
}


def register(server: MCPServer[Any], lake: Lakehouse, calls: Calls, subscribers: Subscribers) -> None:
    """Add the administrator's tools."""

    async def list_buckets() -> CallToolResult:
        """The buckets that datasets live in, whether they answer now, and how many refused writes wait (rescued)."""
        return result(await calls.run(lambda _: lake.list_buckets()))

    async def list_profiles(profile: str | None = None, statement: str | None = None) -> CallToolResult:
        """Reader profiles. With `profile`: what its reader sees; with `statement` too: what that SQL gives there."""
        return result(await calls.run(lambda _: lake.list_profiles(profile, statement)))

    async def replay_rescued(ctx: Ctx, id: str | None = None) -> CallToolResult:
        """Finish the refused loads that the rescue bucket holds, each once: all, oldest first, or one by its id."""

        def work(token: CancelToken) -> ReplayReport:
            return lake.replay_rescued(id, progress=progress_to(ctx, token), cancel=token)

        report = await calls.run(work)
        for dataset in dict.fromkeys(each.dataset for each in report.entries if each.version is not None):
            await subscribers.dataset_changed(dataset)
        return result(report)

    async def list_errors(
        limit: int = 20,
        dataset: str | None = None,
        since: Annotated[str | None, Field(description="ISO 8601")] = None,
    ) -> CallToolResult:
        """The lake's newest failures, with hints. system.errors holds all."""
        return result(await calls.run(lambda _: lake.list_errors(limit, dataset, since)))

    async def index_trials(dataset: str | None = None) -> CallToolResult:
        """Every index build, newest first, published or not. system.trials holds all."""
        return result(await calls.run(lambda _: lake.index_trials(dataset)))

    add_tool(server, list_buckets, title="List buckets", record=BucketList, read_only=True)
    add_tool(server, list_profiles, title="List profiles", record=ProfileList, read_only=True)
    add_tool(server, list_errors, title="List errors", record=ErrorList, read_only=True)
    add_tool(server, index_trials, title="Index trials", record=TrialList, read_only=True)
    add_tool(server, replay_rescued, title="Finish rescued writes", record=ReplayReport, idempotent=True)
