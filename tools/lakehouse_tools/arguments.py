"""Middleware for tools/call: unknown arguments and ill-typed values come back as one short, useful sentence."""

from __future__ import annotations

import difflib
import re
from typing import Any

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp_types import CallToolResult, TextContent

# pydantic adds a line with a link to its documentation to every problem: tokens without use here.
_LINK = re.compile(r"\n\s+For further information visit \S+")
_INPUT = re.compile(r" \[type=[^\n]*\]$", re.MULTILINE)


def check_arguments(server: MCPServer[Any]) -> Any:
    """The middleware for a server."""

    async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method != "tools/call":
            return await call_next(ctx)
        problem = _unknown_arguments(server, ctx.params or {})
        if problem is not None:
            return CallToolResult(content=[TextContent(type="text", text=problem)], is_error=True)
        result = await call_next(ctx)
        # Inside the server's own layers a result is in its wire form already.
        if isinstance(result, dict) and result.get("isError"):
            for block in result.get("content", ()):
                if "validation error" in block.get("text", ""):
                    block["text"] = _INPUT.sub("", _LINK.sub("", block["text"]))
        return result

    return middleware


def _unknown_arguments(server: MCPServer[Any], params: Any) -> str | None:
    tool = server._tool_manager.get_tool(str(params.get("name")))
    if tool is None:
        return None
    known = list(tool.parameters.get("properties", {}))
    unknown = [str(name)[:60] for name in (params.get("arguments") or {}) if name not in known]
    if not unknown:
        return None
    near = difflib.get_close_matches(unknown[0], known, n=1, cutoff=0.5)
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"{tool.name} has no argument {', '.join(unknown)}.{meant} Its arguments: {', '.join(known)}."
