"""The REST side: bodies and answers are those of the tools, errors are problem JSON."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import anyio.to_thread
from opentelemetry import context, propagate
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_lakehouse import trace
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput, LakehouseError, LimitExceeded, NotAllowed
from mcp_lakehouse.gateway import openapi
from mcp_lakehouse.gateway.bodies import BadBody, Upload, media_type, read_json, read_upload
from mcp_lakehouse.gateway.chat import BODY, Bridge
from mcp_lakehouse.gateway.health import readable_datasets
from mcp_lakehouse.gateway.limits import HttpLimits
from mcp_lakehouse.gateway.openapi import Schema, ToolSchema
from mcp_lakehouse.gateway.problems import problem
from mcp_lakehouse.gateway.running import Calls
from mcp_lakehouse.gateway.streaming import ResultStream, check_body, form_asked
from mcp_lakehouse.lakehouse import Lakehouse
from mcp_lakehouse.records import IngestReport, Json, to_json

ToolSchemas = Callable[[], Awaitable[Mapping[str, ToolSchema]]]
Changed = Callable[[str], Awaitable[None]]
_FIELDS = ("dataset", "mode", "key", "text", "description")
_WHO = "http"
_COUNT_SECONDS = 1.0


class Rest:
    """Endpoints over one lake. `tools` gives the schemas of the tools behind them, `changed` tells subscribers."""

    def __init__(
        self,
        lake: Lakehouse,
        tools: ToolSchemas,
        changed: Changed,
        *,
        version: str,
        token: bool,
        incoming: Path,
        limits: HttpLimits,
    ) -> None:
        self._lake = lake
        self._tools = tools
        self._changed = changed
        self._version = version
        self._token = token
        self._incoming = incoming
        self._limits = limits
        self._calls = Calls(limits.threads)
        self._bridge = Bridge(lake, self._calls)
        self._counted = 0, float("-inf")

    def routes(self) -> list[Route]:
        """The routes of the REST side."""
        return [
            Route("/health", self._health, methods=["GET"]),
            Route("/sql", _answering(self._sql), methods=["POST"]),
            Route("/ingest", _answering(self._ingest), methods=["POST"]),
            *(Route(path, _answering(self._search), methods=["POST"]) for path in openapi.paths_of("search")),
            *(Route(path, _answering(self._fetch), methods=["POST"]) for path in openapi.paths_of("fetch")),
            *(Route(path, _answering(self._ask), methods=["POST"]) for path in openapi.paths_of("ask")),
            *(Route(path, _answering(self._chat), methods=["POST"]) for path in openapi.CHAT_PATHS),
            *(Route(path, _answering(self._listing), methods=["GET"]) for path in openapi.LISTINGS),
            Route("/openapi.json", self._openapi, methods=["GET"]),
        ]

    async def _health(self, request: Request) -> Response:
        lake: dict[str, Json] = {"read_only": self._lake.read_only}
        status = 200
        try:
            datasets = await self._calls.run(request, lambda _: self._datasets())
            if not self._token:
                lake["datasets"] = datasets
        except LakehouseError as error:
            # Whoever asks here may have no token: the code says enough, the message could name hosts and paths.
            lake["error"] = error.code
            status = 503
        answer = {"status": "ok" if status == 200 else "failing", "version": self._version, "lake": lake}
        return JSONResponse(answer, status, headers={"Cache-Control": "no-store"})

    def _datasets(self) -> int:
        """How many datasets there are; counted at most once a second, because anybody may ask."""
        count, at = self._counted
        if time.monotonic() - at > _COUNT_SECONDS:
            count = readable_datasets(self._lake)
            self._counted = count, time.monotonic()
        return count

    async def _sql(self, request: Request) -> Response:
        body = await self._arguments(request, "sql")
        kind = form_asked(request)
        if kind is not None:
            check_body(body)
            return ResultStream(request, self._lake, body, kind, self._calls, self._limits)

        def work(token: CancelToken) -> Json:
            result = self._lake.sql(
                cast(str, body["statement"]),
                cast("list[Json] | dict[str, Json] | None", body.get("params")),
                cast(int, body.get("max_rows", 100)),
                detailed=body.get("response_format") == "detailed",
                cancel=token,
            )
            return to_json(result)

        return JSONResponse(await self._calls.run(request, work))

    async def _search(self, request: Request) -> Response:
        body = await self._arguments(request, "search")

        def work(token: CancelToken) -> Json:
            result = self._lake.search(
                cast(str, body["query"]),
                cast("list[str] | None", body.get("datasets")),
                cast("str | None", body.get("where")),
                cast(int, body.get("k", 10)),
                cast(str, body.get("mode", "hybrid")),
                cast("list[str] | None", body.get("columns")),
                cancel=token,
            )
            return to_json(result)

        return JSONResponse(await self._calls.run(request, work))

    async def _fetch(self, request: Request) -> Response:
        body = await self._arguments(request, "fetch")

        def work(token: CancelToken) -> Json:
            return to_json(self._lake.fetch(cast(str, body["id"]), cancel=token))

        return JSONResponse(await self._calls.run(request, work))

    async def _ask(self, request: Request) -> Response:
        body = await self._arguments(request, "ask")

        def work(token: CancelToken) -> Json:
            answer = self._lake.ask(
                cast(str, body["question"]),
                cast("list[str] | None", body.get("datasets")),
                cast("str | None", body.get("where")),
                cast(int, body.get("k", 8)),
                cancel=token,
            )
            return to_json(answer)

        return JSONResponse(await self._calls.run(request, work))

    async def _listing(self, request: Request) -> Response:
        path = request.url.path
        name = openapi.LISTINGS[path]
        tool = (await self._tools()).get(name)
        if tool is None:
            raise NotAllowed(f"{path} is not served here", hint=f"it is for administrators, as the tool {name} is")
        asked = _fitting(_query(request, tool.input_schema), tool.input_schema)

        def work(_: CancelToken) -> Json:
            # The schema names the verb's own arguments.
            return to_json(getattr(self._lake, name)(**asked))

        return JSONResponse(await self._calls.run(request, work), headers={"Cache-Control": "no-store"})

    async def _chat(self, request: Request) -> Response:
        return await self._bridge.answer(request, _fitting(await read_json(request, self._limits), BODY))

    async def _ingest(self, request: Request) -> Response:
        if self._lake.read_only:
            raise NotAllowed("ingest is not allowed: the lake is open read-only", hint="serve it without --read-only")
        if not self._lake.may("ingest"):
            # Refused before a body is read, in the lake's own words.
            return await self._load(request, {"source": ""})
        if media_type(request) != "multipart/form-data":
            return await self._load(request, await self._arguments(request, "ingest"))
        folder = self._incoming / secrets.token_hex(8) / "upload"
        try:
            upload = await read_upload(request, folder, self._limits)
            return await self._load(request, _upload_arguments(upload))
        finally:
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder.parent, ignore_errors=True))

    async def _load(self, request: Request, body: Mapping[str, Json]) -> Response:
        def work(token: CancelToken) -> IngestReport:
            return self._lake.ingest(
                cast("str | Sequence[str] | Mapping[str, str]", body["source"]),
                cast("str | None", body.get("dataset")),
                cast(str, body.get("mode", "append")),
                cast("list[str] | None", body.get("key")),
                cast("list[str] | None", body.get("text")),
                cast("str | None", body.get("description")),
                who=_WHO,
                cancel=token,
            )

        try:
            report = await self._calls.run(request, work)
        except LimitExceeded as error:
            # Here it is the source that is too much.
            raise BadBody(413, error) from error
        if not report.unchanged:
            await self._changed(report.dataset)
        return JSONResponse(to_json(report))

    async def _openapi(self, _: Request) -> Response:
        return JSONResponse(openapi.document(await self._tools(), version=self._version, token=self._token))

    async def _arguments(self, request: Request, tool: str) -> dict[str, Json]:
        """The body's JSON, which fits the schema of the tool behind this endpoint."""
        schema = (await self._tools()).get(tool)
        if schema is None:
            raise NotAllowed(f"{tool} is not offered here", hint="the server is read-only, or the token's profile is")
        return _fitting(await read_json(request, self._limits), schema.input_schema)


def _answering(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint whose errors become problem JSON, in a span that continues the caller's trace."""

    async def answer(request: Request) -> Response:
        attached = context.attach(propagate.extract(request.headers))
        try:
            with trace.span(f"{request.method} {request.url.path}"):
                return await endpoint(request)
        except LakehouseError as error:
            return problem(error)
        except BadBody as refused:
            # The rest of the body is still on its way: nothing more can be read from this connection.
            return problem(refused.error, refused.status, headers={"Connection": "close"})
        finally:
            context.detach(attached)

    return answer


def _upload_arguments(upload: Upload) -> dict[str, Json]:
    unknown = sorted(upload.fields.keys() - set(_FIELDS))
    if unknown:
        raise InvalidInput(f"unknown field {unknown[0][:60]!r}", hint=f"fields: a file, {', '.join(_FIELDS)}")
    if not upload.files:
        raise InvalidInput("the body holds no file", hint="curl -F file=@data.csv URL")
    arguments: dict[str, Json] = {"source": [str(path) for path in upload.files]}
    for name in ("key", "text"):
        columns = [column.strip() for value in upload.fields.get(name, []) for column in value.split(",")]
        if any(columns):
            arguments[name] = [column for column in columns if column]
    for name in ("dataset", "mode", "description"):
        values = upload.fields.get(name)
        if values and values[-1]:
            arguments[name] = values[-1]
    return arguments


def _query(request: Request, schema: Schema) -> dict[str, Json]:
    """The query's parameters, numbers where the schema wants numbers."""
    found: dict[str, Json] = {}
    for name, value in request.query_params.multi_items():
        if name in found:
            raise InvalidInput(f"{name[:60]} is given twice", hint="GET /openapi.json describes the parameters")
        whole = schema["properties"].get(name, {}).get("type") == "integer"
        found[name] = int(value) if whole and value.isdecimal() and len(value) < 10 else value
    return found


def _fitting(body: dict[str, Json], schema: Schema) -> dict[str, Json]:
    fault = _fault(body, schema)
    if fault is not None:
        raise InvalidInput(fault, hint="GET /openapi.json describes what is taken")
    return body


def _fault(body: Mapping[str, Json], schema: Schema) -> str | None:
    """What is wrong with a body, in one short sentence."""
    # It ships no types.
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped]  # nor here

    error = best_match(Draft202012Validator(schema).iter_errors(body))
    if error is None:
        return None
    where = ".".join(str(step) for step in error.absolute_path)
    return f"{where}: {error.message[:200]}" if where else error.message[:200]
