"""Puts a typed function before the model as a tool: annotations, small schemas, bounded output."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server import MCPServer
from mcp_types import CallToolResult, ToolAnnotations

from lakehouse_tools.schemas import output_schema, slim

ToolFunction = Callable[..., Awaitable[CallToolResult]]


def add_tool(
    server: MCPServer[Any],
    function: ToolFunction,
    *,
    title: str,
    record: type,
    read_only: bool = False,
    destructive: bool = False,
    idempotent: bool = False,
) -> None:
    """Register `function` under its own name; its docstring is what the model reads, `record` what it returns.

    A tool that the server withholds is not registered.
    """
    if function.__name__ in getattr(server, "withheld", ()):
        return
    server.add_tool(
        function,
        title=title,
        description=" ".join((function.__doc__ or "").split()),
        annotations=ToolAnnotations(
            read_only_hint=read_only,
            destructive_hint=destructive,
            idempotent_hint=idempotent or read_only,
            open_world_hint=False,
        ),
        structured_output=False,
    )
    tool = server._tool_manager.get_tool(function.__name__)
    assert tool is not None
    tool.parameters = slim(tool.parameters) | {"additionalProperties": False}
    tool.fn_metadata.output_schema = output_schema(record)
