"""Tools for whoever looks after a lake: list_buckets, list_profiles."""

from __future__ import annotations

from typing import Any

from mcp.server import MCPServer
from mcp_types import CallToolResult

from lakehouse_tools.calls import Calls
from lakehouse_tools.registry import add_tool
from lakehouse_tools.render import result
from mcp_lakehouse.lakehouse import Lakehouse
from mcp_lakehouse.records import BucketList, ProfileList

# The right that each tool takes.
RIGHTS = {"list_buckets": "admin", "list_profiles": "admin"}


def register(server: MCPServer[Any], lake: Lakehouse, calls: Calls) -> None:
    """Add the administrator's tools."""

    async def list_buckets() -> CallToolResult:
        """The buckets that datasets live in, and whether they answer now."""
        return result(await calls.run(lambda _: lake.list_buckets()))

    async def list_profiles(profile: str | None = None, statement: str | None = None) -> CallToolResult:
        """Reader profiles. With `profile`: what its reader sees; with `statement` too: what that SQL gives there."""
        return result(await calls.run(lambda _: lake.list_profiles(profile, statement)))

    add_tool(server, list_profiles, title="List profiles", record=ProfileList, read_only=True)
    add_tool(server, list_buckets, title="List buckets", record=BucketList, read_only=True)
