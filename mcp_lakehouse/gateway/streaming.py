"""Whole results over HTTP in the form that a request accepts: sent while they are made, as fast as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

import anyio
import anyio.from_thread
from opentelemetry import context
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput, LakehouseError, LimitExceeded
from mcp_lakehouse.gateway.limits import HttpLimits
from mcp_lakehouse.gateway.problems import problem
from mcp_lakehouse.gateway.running import Calls
from mcp_lakehouse.lakehouse import Lakehouse
from mcp_lakehouse.records import Json
from mcp_lakehouse.sql.streaming import Form, Wanted

# Media types in which a whole result is sent, and as what.
STREAMED: Mapping[str, Form] = {
    "application/vnd.apache.arrow.stream": "arrow",
    "text/csv": "csv",
    "application/x-ndjson": "ndjson",
}
_CHARSET = {"csv": "; charset=utf-8; header=present"}
_OF_A_PAGE = ("max_rows", "response_format")


def form_asked(request: Request) -> str | None:
    """The media type of `STREAMED` that a request would rather have than anything else; `None`: JSON."""
    best, best_quality = None, 0.0
    for part in ",".join(request.headers.getlist("accept")).split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        try:
            weight = float(quality)
        except ValueError:
            continue
        if weight > best_quality:
            best, best_quality = kind, weight
    return best if best in STREAMED else None


def check_body(body: Mapping[str, Json]) -> None:
    """Refuse what only a page of a result has. Raises `InvalidInput`."""
    for name in _OF_A_PAGE:
        if name in body:
            raise InvalidInput(
                f"{name} is for results as JSON; here all rows are sent", hint="write LIMIT in the statement"
            )


class ResultStream(Response):
    """All rows of one statement. What fails before the first is told as a problem; later the response breaks off."""

    def __init__(
        self, request: Request, lake: Lakehouse, body: Mapping[str, Json], kind: str, calls: Calls, limits: HttpLimits
    ) -> None:
        form = STREAMED[kind]
        super().__init__(media_type=kind + _CHARSET.get(form, ""))
        self._request = request
        self._lake = lake
        self._wanted = partial(
            Wanted, cast(str, body["statement"]), cast("list[Json] | dict[str, Json] | None", body.get("params")), form
        )
        self._calls = calls
        self._limits = limits
        self._context = context.get_current()
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send each piece when the one before it has gone; whoever hangs up stops the statement."""

        def work(token: CancelToken) -> None:
            with self._lake.streams.open(self._wanted(token)) as stream:
                for piece in stream:
                    anyio.from_thread.run(self._send, send, bytes(piece))

        attached = context.attach(self._context)
        try:
            await self._calls.run(self._request, work)
        except LakehouseError as error:
            if not self._begun:
                await problem(error)(scope, receive, send)
            # Else the status is out already: without its last chunk the client sees that this is not all.
            return
        finally:
            context.detach(attached)
        await self._begin(send)
        await send(_body(b"", more=False))

    async def _send(self, send: Send, piece: bytes) -> None:
        await self._begin(send)
        try:
            with anyio.fail_after(self._limits.stall_seconds):
                await send(_body(piece, more=True))
        except TimeoutError as error:
            raise LimitExceeded("the client stopped reading", hint="read rows as they come") from error

    async def _begin(self, send: Send) -> None:
        if not self._begun:
            self._begun = True
            headers = [(b"content-type", self.headers["content-type"].encode()), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})


def _body(piece: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}
