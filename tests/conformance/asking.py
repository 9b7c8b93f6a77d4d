"""Fixtures that ask the client something: in the call (2025-11-25), or by an input-required result (2026-07-28)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import mcp_types as types
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp_types import ElicitRequest, ElicitRequestFormParams, InputRequest, InputRequiredResult, TextContent

Ctx = Context[Any, Any]
Questions = Mapping[str, InputRequest]

_OPTIONS = ["option1", "option2", "option3"]
_TITLED = [{"const": f"value{number}", "title": f"Option {number}"} for number in (1, 2, 3)]
_DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
_ENUMS = {
    "untitledSingle": {"type": "string", "enum": _OPTIONS},
    "titledSingle": {"type": "string", "oneOf": _TITLED},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
    "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
}


def tools() -> dict[str, Callable[..., Awaitable[Any]]]:
    """The asking tools by name."""
    name, confirm = elicit("What is your name?", name="string"), elicit("Please confirm", ok="boolean")
    everything: Questions = {"user_name": name, "greeting": sample("Generate a greeting", 50), "client_roots": roots()}
    prefix = "test_input_required_result_"
    return {
        "test_sampling": _sampling,
        "test_elicitation": _eliciting,
        "test_elicitation_sep1034_defaults": _eliciting_form(_DEFAULTS),
        "test_elicitation_sep1330_enums": _eliciting_form(_ENUMS),
        "test_streaming_elicitation": _rounds([{"answer": name}], with_state=False),
        f"{prefix}elicitation": _rounds([{"user_name": name}], with_state=False),
        f"{prefix}sampling": _rounds(
            [{"capital_question": sample("What is the capital of France?", 100)}], with_state=False
        ),
        f"{prefix}list_roots": _rounds([{"client_roots": roots()}], with_state=False),
        f"{prefix}request_state": _rounds([{"confirm": confirm}]),
        f"{prefix}multiple_inputs": _rounds([everything]),
        f"{prefix}multi_round": _rounds(
            [
                {"step1": elicit("Step 1: What is your name?", name="string")},
                {"step2": elicit("Step 2: What is your favorite color?", color="string")},
            ]
        ),
        f"{prefix}tampered_state": _rounds([{"confirm": confirm}]),
        f"{prefix}capabilities": _asking_what_is_declared,
    }


def prompt() -> Callable[[Ctx], Awaitable[Any]]:
    """A prompt that asks first."""
    ask = _rounds([{"user_context": elicit("What context should the prompt use?", context="string")}], with_state=False)

    async def asking(ctx: Ctx) -> Any:
        answer = await ask(ctx)
        if isinstance(answer, InputRequiredResult):
            return answer
        return [UserMessage(role="user", content=TextContent(type="text", text=answer))]

    return asking


def elicit(message: str, **fields: str) -> ElicitRequest:
    """A form with these fields and their types, all required."""
    schema = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in fields.items()},
        "required": list(fields),
    }
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(words: str, max_tokens: int) -> types.CreateMessageRequest:
    """A request for a model's words."""
    message = types.SamplingMessage(role="user", content=TextContent(type="text", text=words))
    return types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=[message], max_tokens=max_tokens)
    )


def roots() -> types.ListRootsRequest:
    """A request for the client's folders."""
    return types.ListRootsRequest()


def _rounds(rounds: Sequence[Questions], *, with_state: bool = True) -> Callable[[Ctx], Awaitable[Any]]:
    """Asks each round until every question of it is answered, then says what was answered.

    The state that goes out and must come back unchanged is the number of the round.
    """

    async def ask(ctx: Ctx) -> Any:
        current = int(ctx.request_state or 0)
        answers = ctx.input_responses or {}
        came_back = ctx.request_state is not None or not with_state
        if came_back and rounds[current].keys() <= answers.keys():
            current += 1
        if current == len(rounds):
            said = "; ".join(_described(answers[key]) for key in rounds[-1])
            return f"state-ok: {said}" if with_state else said
        return InputRequiredResult(
            input_requests=dict(rounds[current]), request_state=str(current) if with_state else None
        )

    return ask


def _described(answer: Any) -> str:
    if isinstance(answer, types.ElicitResult):
        return f"{answer.action} {answer.content}"
    if isinstance(answer, types.ListRootsResult):
        return f"{len(answer.roots)} roots"
    return str(getattr(answer.content, "text", answer.content))


async def _asking_what_is_declared(ctx: Ctx) -> InputRequiredResult:
    declared = ctx.client_capabilities
    questions: dict[str, InputRequest] = {}
    if declared is not None and declared.sampling is not None:
        questions["greeting"] = sample("Say hello", 50)
    if declared is not None and declared.elicitation is not None:
        questions["user_name"] = elicit("What is your name?", name="string")
    return InputRequiredResult(input_requests=questions, request_state="asked")


async def _sampling(ctx: Ctx, prompt: str) -> str:
    message = types.SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    # Without the request's id it would go out on a stream that the client may not have opened.
    answer = await ctx.session.create_message([message], max_tokens=100, related_request_id=ctx.request_id)
    return f"LLM response: {_described(answer)}"


async def _eliciting(ctx: Ctx, message: str) -> str:
    schema = {"type": "object", "properties": {"response": {"type": "string"}}, "required": ["response"]}
    answer = await ctx.session.elicit_form(message, schema, ctx.request_id)
    return f"User response: {_described(answer)}"


def _eliciting_form(properties: Mapping[str, Any]) -> Callable[[Ctx], Awaitable[str]]:
    async def ask(ctx: Ctx) -> str:
        answer = await ctx.session.elicit_form(
            "Please fill in", {"type": "object", "properties": dict(properties)}, ctx.request_id
        )
        return f"Elicitation completed: {_described(answer)}"

    return ask
