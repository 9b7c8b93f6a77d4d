"""A served lake and a real MCP client over stdio, for benchmarks that measure what a user would see."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client


def server(lake: Path, allow: Path) -> StdioServerParameters:
    """How the server is started."""
    arguments = ["-m", "mcp_lakehouse", "serve", "--lake", str(lake), "--allow", str(allow)]
    return StdioServerParameters(command=sys.executable, args=arguments)


@asynccontextmanager
async def connect(lake: Path, allow: Path) -> AsyncIterator[Client]:
    """A connected client; the server ends with it."""
    async with Client(stdio_client(server(lake, allow))) as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured content of a tool call that must succeed."""
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        raise RuntimeError(f"{tool} failed: {result.content}")
    return dict(result.structured_content)
