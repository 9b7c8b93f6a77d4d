"""What the official conformance suite expects to find on a server, registered on ours.

The names and the contents are fixed by the suite. Our server keeps its middleware, its arguments
check, its cache hints and its transport: it is those that are tested.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, EmptyResult, SetLevelRequestParams, TextContent

from tests.conformance import asking

Ctx = Context[Any, Any]
# One red pixel, and a WAV header without samples.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
WAV = base64.b64encode(
    b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data"
    + bytes(4)
).decode()


def text(words: str) -> TextContent:
    return TextContent(type="text", text=words)


def image() -> types.ImageContent:
    return types.ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, words: str, mime_type: str = "text/plain") -> types.EmbeddedResource:
    return types.EmbeddedResource(
        type="resource", resource=types.TextResourceContents(uri=uri, mime_type=mime_type, text=words)
    )


FIXED: dict[str, Sequence[Any]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [image()],
    "test_audio_content": [types.AudioContent(type="audio", data=WAV, mime_type="audio/wav")],
    "test_embedded_resource": [embedded("test://embedded-resource", "This is an embedded resource content.")],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        image(),
        embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json"),
    ],
}


def register(server: MCPServer[Any]) -> None:
    """Add every fixture that a required scenario looks for."""
    for name, content in FIXED.items():
        _add(server, name, _fixed(content))
    _add(server, "test_error_handling", _failing)
    _add(server, "test_tool_with_logging", _logging)
    _add(server, "test_logging_tool", _logging)
    _add(server, "test_tool_with_progress", _progressing)
    _add(server, "test_missing_capability", _needing_sampling)
    _add(server, "test_trigger_tool_change", _changing("tools"))
    _add(server, "test_trigger_prompt_change", _changing("prompts"))
    for name, function in asking.tools().items():
        _add(server, name, function)
    _resources(server)
    _prompts(server)
    # Deprecated, so ours has none; the earlier revision still requires it of a server that logs.
    server._lowlevel_server.add_request_handler("logging/setLevel", SetLevelRequestParams, _set_level)


def _add(server: MCPServer[Any], name: str, function: Callable[..., Any]) -> None:
    server.add_tool(function, name=name, description=f"Fixture {name}", structured_output=False)


def _fixed(content: Sequence[Any]) -> Callable[[], Awaitable[CallToolResult]]:
    async def answer() -> CallToolResult:
        return CallToolResult(content=list(content))

    return answer


async def _failing() -> CallToolResult:
    return CallToolResult(content=[text("This tool intentionally returns an error for testing")], is_error=True)


async def _logging(ctx: Ctx) -> str:
    for message in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(message)
    return "logged three times"


async def _progressing(ctx: Ctx) -> str:
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100, f"{done} of 100")
    return "reported three times"


async def _needing_sampling(ctx: Ctx) -> str:
    declared = ctx.client_capabilities
    if declared is None or declared.sampling is None:
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            "this tool needs sampling",
            {"requiredCapabilities": {"sampling": {}}},
        )
    return "sampling is declared"


def _changing(what: str) -> Callable[[Ctx], Awaitable[str]]:
    async def change(ctx: Ctx) -> str:
        await (ctx.notify_tools_changed() if what == "tools" else ctx.notify_prompts_changed())
        return f"announced a change of {what}"

    return change


async def _set_level(_ctx: Any, _params: SetLevelRequestParams) -> EmptyResult:
    return EmptyResult()


def _resources(server: MCPServer[Any]) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        return base64.b64decode(PNG)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        return "a resource to subscribe to"


def _prompts(server: MCPServer[Any]) -> None:
    def simple() -> list[UserMessage]:
        return [UserMessage(role="user", content=text("This is a simple prompt for testing."))]

    def with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        return [UserMessage(role="user", content=text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]

    def with_resource(resourceUri: str) -> list[UserMessage]:
        return [
            UserMessage(role="user", content=embedded(resourceUri, "Embedded resource content for testing.")),
            UserMessage(role="user", content=text("Please process the embedded resource above.")),
        ]

    def with_image() -> list[UserMessage]:
        return [
            UserMessage(role="user", content=image()),
            UserMessage(role="user", content=text("Please analyze the image above.")),
        ]

    functions: dict[str, Callable[..., Any]] = {
        "test_simple_prompt": simple,
        "test_prompt_with_arguments": with_arguments,
        "test_prompt_with_embedded_resource": with_resource,
        "test_prompt_with_image": with_image,
        "test_input_required_result_prompt": asking.prompt(),
    }
    for name, function in functions.items():
        server.add_prompt(Prompt.from_function(function, name=name, description=f"Fixture {name}"))
