"""What the tool surface costs a model: tokens of `tools/list`."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
from mcp import Client

from benchmarks.measure import table
from lakehouse_tools import build_server
from mcp_lakehouse import Lakehouse


def run(folder: Path) -> str:
    """The Markdown section."""
    rows = []
    with Lakehouse.open(folder / "lake") as lake:
        for role, read_only in (("reader", True), ("administrator", False)):
            text = anyio.run(_tools, lake, read_only)
            rows.append([role, f"{len(text):,}", f"{len(text) // 4:,}"])
    head = ["tools/list", "characters", "tokens (characters / 4)"]
    return "### Tool surface\n\n" + table(head, rows)


async def _tools(lake: Lakehouse, read_only: bool) -> str:
    async with Client(build_server(lake, read_only=read_only)) as client:
        listed = await client.list_tools()
    tools = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed.tools]
    return json.dumps(tools, ensure_ascii=False, separators=(",", ":"))
