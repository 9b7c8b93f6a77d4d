"""The description of the REST side, made from the schemas that MCP clients get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mcp_lakehouse.gateway.chat import BODY
from mcp_lakehouse.gateway.problems import MEDIA_TYPE
from mcp_lakehouse.gateway.streaming import STREAMED

Schema = dict[str, Any]

_PROBLEM: Schema = {
    "type": "object",
    "description": "RFC 9457",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what happened"},
        "hint": {"type": "string", "description": "what to do next"},
        "code": {"type": "string", "description": "stable name of the kind of error"},
    },
    "required": ["type", "title", "status", "detail", "code"],
}
_FAILED: Schema = {
    "description": "what went wrong, and what to do next",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_HEALTH: Schema = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["ok", "failing"]},
        "version": {"type": "string"},
        "lake": {
            "type": "object",
            "properties": {
                "datasets": {"type": "integer"},
                "read_only": {"type": "boolean"},
                "error": {"type": "string", "description": "the code of the error, when failing"},
            },
        },
    },
    "required": ["status", "version", "lake"],
}
_UPLOAD: Schema = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "one or several files, under any field name"},
        "dataset": {"type": "string"},
        "mode": {"type": "string", "enum": ["append", "replace", "upsert", "delete"], "default": "append"},
        "key": {"type": "string", "description": "columns, separated by commas"},
        "text": {"type": "string", "description": "columns, separated by commas"},
        "description": {"type": "string"},
    },
}


# Each endpoint that has a tool behind it, and those that pass on to the chat model.
ENDPOINTS = {
    "/sql": "sql",
    "/ingest": "ingest",
    "/search": "search",
    "/vectors/hybrid": "search",
    "/fetch": "fetch",
    "/rag": "ask",
}
# Those that are asked with GET: the tool's arguments are query parameters.
LISTINGS = {"/storage/errors": "list_errors", "/hnsw/trials": "index_trials"}
CHAT_PATHS = ("/v1/chat/completions", "/v1/chat")
_COMPLETION: Schema = {"type": "object", "properties": {"choices": {"type": "array"}}, "required": ["choices"]}


_WHOLE = (
    "as JSON the first rows and a handle for the rest; as any other type that the request accepts all rows, sent "
    "while they are made, without max_rows and response_format (if it fails meanwhile, the response breaks off)"
)


def paths_of(tool: str) -> list[str]:
    """The endpoints that a tool is behind."""
    return [path for path, name in ENDPOINTS.items() if name == tool]


class ToolSchema(Protocol):
    """What a tool takes and gives, as JSON Schemas."""

    @property
    def description(self) -> str | None:
        """What it is for."""

    @property
    def input_schema(self) -> Schema:
        """The arguments."""

    @property
    def output_schema(self) -> Schema | None:
        """The result."""


def document(tools: Mapping[str, ToolSchema], *, version: str, token: bool) -> Schema:
    """An OpenAPI 3.1 document; tools that have no endpoint are left out."""
    paths: Schema = {
        "/health": {
            "get": {
                "summary": "Whether the server and its lake answer",
                "operationId": "health",
                "security": [],
                "responses": {"200": _json(_HEALTH, "ok"), "503": _json(_HEALTH, "the lake does not answer")},
            }
        }
    }
    schemas: Schema = {"Problem": _PROBLEM}
    for path, name in ENDPOINTS.items():
        if name not in tools:
            continue
        tool = tools[name]
        bodies = {"application/json": {"schema": tool.input_schema}}
        if name == "ingest":
            bodies["multipart/form-data"] = {"schema": _UPLOAD}
        done = _result(name, tool, schemas)
        if name == "sql":
            done["description"] = _WHOLE
            done["content"] |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in STREAMED}
        paths[path] = _post(path, tool.description or name, bodies, done)
    for path, name in LISTINGS.items():
        if name in tools:
            paths[path] = _get(path, name, tools[name], _result(name, tools[name], schemas))
    for path in CHAT_PATHS:
        done = _json(_COMPLETION, "the model's answer; with stream an event stream of chunks")
        done["content"]["text/event-stream"] = {"schema": {"type": "string"}}
        paths[path] = _post(
            path, "Pass a chat on to the model that is set", {"application/json": {"schema": BODY}}, done
        )
    components: Schema = {"schemas": schemas}
    secured: Schema = {}
    if token:
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        secured["security"] = [{"bearer": []}]
    return {
        "openapi": "3.1.0",
        "info": {"title": "mcp-lakehouse", "version": version},
        **secured,
        "paths": paths,
        "components": components,
    }


def _result(name: str, tool: ToolSchema, schemas: Schema) -> Schema:
    """The answer that a tool gives, whose schema is put beside the others."""
    result = f"{name.title().replace('_', '')}Result"
    schemas[result] = tool.output_schema or {}
    return _json({"$ref": f"#/components/schemas/{result}"}, "done")


def _post(path: str, summary: str, bodies: Schema, done: Schema) -> Schema:
    return {
        "post": {
            "summary": summary,
            "operationId": path.strip("/").replace("/", "_"),
            "requestBody": {"required": True, "content": bodies},
            "responses": {"200": done, "default": _FAILED},
        }
    }


def _get(path: str, name: str, tool: ToolSchema, done: Schema) -> Schema:
    parameters = tool.input_schema.get("properties", {})
    return {
        "get": {
            "summary": tool.description or name,
            "operationId": path.strip("/").replace("/", "_"),
            "parameters": [{"name": each, "in": "query", "schema": parameters[each]} for each in parameters],
            "responses": {"200": done, "default": _FAILED},
        }
    }


def _json(schema: Schema, description: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
