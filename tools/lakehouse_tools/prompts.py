"""The prompts of the prompts room, with their arguments completed."""

from __future__ import annotations

from typing import Any

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from lakehouse_prompts import load


def register(server: MCPServer[Any]) -> None:
    """Add the prompts."""

    @server.prompt(title=load("explore_dataset").title, description=load("explore_dataset").description)
    def explore_dataset(dataset: str) -> str:
        return load("explore_dataset").fill(dataset=dataset)

    @server.prompt(title=load("answer_with_evidence").title, description=load("answer_with_evidence").description)
    def answer_with_evidence(question: str) -> str:
        return load("answer_with_evidence").fill(question=question)

    @server.prompt(title=load("clean_and_load").title, description=load("clean_and_load").description)
    def clean_and_load(source: str) -> str:
        return load("clean_and_load").fill(source=source)


def check_prompts(server: MCPServer[Any]) -> Any:
    """Middleware for prompts/get: an unknown prompt or a missing argument is the client's mistake, and told as such."""

    async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method == "prompts/get":
            params = ctx.params or {}
            prompts = {prompt.name: prompt for prompt in server._prompt_manager.list_prompts()}
            prompt = prompts.get(str(params.get("name")))
            if prompt is None:
                known = ", ".join(prompts)
                raise MCPError(INVALID_PARAMS, f"there is no prompt {str(params.get('name'))[:60]!r}; prompts: {known}")
            given = params.get("arguments") or {}
            missing = [each.name for each in prompt.arguments or [] if each.required and each.name not in given]
            if missing:
                raise MCPError(INVALID_PARAMS, f"prompt {prompt.name} needs the argument {missing[0]}")
        return await call_next(ctx)

    return middleware
