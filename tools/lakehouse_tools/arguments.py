"""Middleware for tools/call: a call that cannot be made comes back as one short, useful sentence."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, TextContent
from pydantic import ValidationError

_SHOWN_CHARS = 60
_ARTICLES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "object": "an object",
    "array": "a list",
}


def check_arguments(server: MCPServer[Any], withheld: Mapping[str, str]) -> Any:
    """The middleware for a server. `withheld` gives tools that are not offered, each with the reason."""

    async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method != "tools/call":
            return await call_next(ctx)
        params = ctx.params or {}
        problem = _problem(server, withheld, str(params.get("name")), params.get("arguments") or {})
        if problem is not None:
            return CallToolResult(content=[TextContent(type="text", text=problem)], is_error=True)
        result = await call_next(ctx)
        # Inside the server's own layers a result is in its wire form already.
        if isinstance(result, dict) and result.get("isError"):
            for block in result.get("content", ()):
                block["text"] = _plain(block.get("text", ""), str(params.get("name")))
        return result

    return middleware


def _plain(text: str, tool: str) -> str:
    """An error without the name of the tool, which whoever called it knows."""
    prefix = f"Error executing tool {tool}"
    if text == prefix:
        return f"{tool} failed unexpectedly; the server's log says why\nhint: try it in another way"
    return text.removeprefix(f"{prefix}: ")


def _problem(server: MCPServer[Any], withheld: Mapping[str, str], name: str, arguments: Any) -> str | None:
    tools = server._tool_manager
    tool = tools.get_tool(name)
    if tool is None:
        offered = ", ".join(each.name for each in tools.list_tools())
        reason = withheld.get(name, "there is no such tool")
        return f"{_shown(name)} cannot be called: {reason}. Tools: {offered}."
    if not isinstance(arguments, dict):
        return None
    known = list(tool.parameters.get("properties", {}))
    unknown = [str(each)[:_SHOWN_CHARS] for each in arguments if each not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1, cutoff=0.5)
        meant = f" Did you mean {near[0]}?" if near else ""
        return f"{tool.name} has no argument {', '.join(unknown[:3])}.{meant} Its arguments: {', '.join(known)}."
    for argument, value in arguments.items():
        # To Python true is a number too; to whoever sent it, it is not.
        if isinstance(value, bool) and tool.parameters["properties"][argument].get("type") == "integer":
            return _wrong(tool, argument, value)
    try:
        tool.fn_metadata.validate_arguments(arguments)
    except ValidationError as error:
        return _sentence(tool, error, arguments)
    return None


def _sentence(tool: Tool, error: ValidationError, arguments: Mapping[str, Any]) -> str:
    """The first fault, in the words of the tool's own schema."""
    fault = error.errors(include_url=False, include_context=False)[0]
    argument = str(fault["loc"][0]) if fault["loc"] else ""
    schema = tool.parameters.get("properties", {}).get(argument)
    if schema is None:
        return f"{tool.name}: {fault['msg']}."
    if argument not in arguments:
        return f"{tool.name} needs the argument {argument}: {_expected(schema)}."
    return _wrong(tool, argument, arguments[argument])


def _wrong(tool: Tool, argument: str, value: object) -> str:
    schema = tool.parameters["properties"][argument]
    return f"{tool.name}: {argument} must be {_expected(schema)}, not {_shown(value)}."


def _expected(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(json.dumps(choice) for choice in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_expected(choice) for choice in schema["anyOf"])
    kind = _ARTICLES[schema["type"]]
    if schema.get("properties"):
        return f"{kind} with {' and '.join(schema['properties'])}"
    inner = schema.get("items") or schema.get("additionalProperties")
    if isinstance(inner, dict) and "type" in inner:
        return f"{kind} of {inner['type']}s"
    return f"{kind} of plain values" if inner else kind


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
