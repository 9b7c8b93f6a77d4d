"""OpenAI's chat shape, passed on to the model that is set: whole, or as the event stream it sends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio.from_thread
from opentelemetry import context
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import LakehouseError, NotAllowed
from mcp_lakehouse.gateway.problems import problem
from mcp_lakehouse.gateway.running import Calls
from mcp_lakehouse.records import Json

if TYPE_CHECKING:
    from mcp_lakehouse.lakehouse import Lakehouse
    from mcp_lakehouse.llm.chat import Chat

BODY: dict[str, Any] = {
    "type": "object",
    "description": "as of OpenAI's chat completions; model is the one that is set, whatever is named here",
    "properties": {
        "messages": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["role"]}},
        "stream": {"type": "boolean", "description": "true: an event stream as the model sends it"},
    },
    "required": ["messages"],
}
_NOT_IMPLEMENTED = 501


class Bridge:
    """Passes chats on."""

    def __init__(self, lake: Lakehouse, calls: Calls) -> None:
        self._lake = lake
        self._calls = calls

    @cached_property
    def _chat(self) -> Chat | None:
        from mcp_lakehouse.llm.chat import open_chat

        spec, content = self._lake.settings.text("chat"), self._lake.settings.flag("trace_content")
        return open_chat(spec, environment=os.environ, trace_content=content)

    def _opened(self) -> Chat | None:
        with _recording(self._lake):
            return self._chat

    async def answer(self, request: Request, body: dict[str, Json]) -> Response:
        """The model's answer to a body that fits `BODY`. Raises what the model raises."""
        chat = await self._calls.run(request, lambda _: self._opened())
        if chat is None:
            error = NotAllowed(
                "no chat model is set, so there is nobody to pass this on to",
                hint="serve with LAKEHOUSE_CHAT=openai:MODEL@BASE_URL or anthropic:MODEL; /rag answers without one",
            )
            return problem(error, _NOT_IMPLEMENTED)
        if body.get("stream") is True:
            return _Stream(request, self._lake, chat, body, self._calls)

        def work(token: CancelToken) -> Json:
            with _recording(self._lake), chat.forward(body, cancel=token) as said:
                whole: Json = said  # type: ignore[assignment]  # only a body that asks for it is streamed
                return whole

        return JSONResponse(await self._calls.run(request, work))


class _Stream(Response):
    """The event stream of one answer; a model that fails before its first event is told as a problem."""

    def __init__(self, request: Request, lake: Lakehouse, chat: Chat, body: dict[str, Json], calls: Calls) -> None:
        super().__init__(media_type="text/event-stream")
        self._request = request
        self._lake = lake
        self._chat = chat
        self._body = body
        self._calls = calls
        self._context = context.get_current()
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass each piece on as it comes; whoever hangs up stops the model."""

        def work(token: CancelToken) -> None:
            with _recording(self._lake), self._chat.forward(self._body, cancel=token) as said:
                assert isinstance(said, Iterator)
                for piece in said:
                    self._tell(send, piece)

        attached = context.attach(self._context)
        try:
            await self._calls.run(self._request, work)
        except LakehouseError as error:
            if not self._begun:
                await problem(error)(scope, receive, send)
                return
            # The status is out already: the event says it, and the end mark is missing.
            await send(_body(_failure(error), more=True))
        finally:
            context.detach(attached)
        await send(_body(b"", more=False))

    def _tell(self, send: Send, piece: bytes) -> None:
        if not self._begun:
            self._begun = True
            headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
            start: Message = {"type": "http.response.start", "status": 200, "headers": headers}
            anyio.from_thread.run(_sent, send, start)
        anyio.from_thread.run(_sent, send, _body(piece, more=True))


def _recording(lake: Lakehouse) -> AbstractContextManager[None]:
    """A model's errors are journaled, and a reader is not told its address."""
    return lake.recorder.recording("chat", None)


async def _sent(send: Send, message: Message) -> None:
    await send(message)


def _body(piece: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}


def _failure(error: LakehouseError) -> bytes:
    """An error as OpenAI's streams tell one."""
    return f"data: {json.dumps({'error': {'message': str(error), 'type': error.code}})}\n\n".encode()
