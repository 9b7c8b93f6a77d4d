"""Tools for whoever looks after a lake: list_buckets."""

from __future__ import annotations

from typing import Any

from mcp.server import MCPServer
from mcp_types import CallToolResult

from lakehouse_tools.calls import Calls
from lakehouse_tools.registry import add_tool
from lakehouse_tools.render import result
from mcp_lakehouse.lakehouse import Lakehouse
from mcp_lakehouse.records import BucketList

# The right that each tool takes.
RIGHTS = {"list_buckets": "admin"}


def register(server: MCPServer[Any], lake: Lakehouse, calls: Calls) -> None:
    """Add the administrator's tools."""

    async def list_buckets() -> CallToolResult:
        """The buckets that datasets live in, and whether they answer now."""
        return result(await calls.run(lambda _: lake.list_buckets()))

    add_tool(server, list_buckets, title="List buckets", record=BucketList, read_only=True)
