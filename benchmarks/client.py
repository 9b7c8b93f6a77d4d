"""A served lake and a real MCP client over stdio, for benchmarks that measure what a user would see."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult


def server(lake: Path, allow: Path) -> StdioServerParameters:
    """How the server is started."""
    arguments = ["-m", "mcp_lakehouse", "serve", "--lake", str(lake), "--allow", str(allow)]
    return StdioServerParameters(command=sys.executable, args=arguments)


# What the protocol itself costs: the same client, the SDK's server, and a tool that returns what it was started with.
BARE = """
import json, sys
from mcp.server import MCPServer
from mcp_types import CallToolResult, TextContent

CONTENT = json.loads(sys.argv[1])
server = MCPServer("bare")

@server.tool(structured_output=False)
async def sql(statement: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=sys.argv[2])], structured_content=CONTENT)

server.run("stdio")
"""


@asynccontextmanager
async def connect_bare(result: CallToolResult) -> AsyncIterator[Client]:
    """A client of a bare server whose tool `sql` answers every call with this result."""
    text = "".join(block.text for block in result.content if block.type == "text")
    arguments = ["-c", BARE, json.dumps(result.structured_content), text]
    async with Client(stdio_client(StdioServerParameters(command=sys.executable, args=arguments))) as client:
        yield client


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
