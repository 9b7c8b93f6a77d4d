"""One ASGI application: MCP at `/mcp` and REST, behind the same checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from mcp_lakehouse import __version__
from mcp_lakehouse.errors import InvalidInput, LakehouseError, NotFound
from mcp_lakehouse.gateway.access import Access, BearerToken, HostAndOrigin
from mcp_lakehouse.gateway.limits import HttpLimits
from mcp_lakehouse.gateway.openapi import ToolSchema
from mcp_lakehouse.gateway.problems import problem
from mcp_lakehouse.gateway.rest import Rest
from mcp_lakehouse.lakehouse import Lakehouse

MCP_PATH = "/mcp"


class Surface(Protocol):
    """What the gateway needs of an MCP server: `lakehouse_tools.build_server` gives one."""

    def http_app(self, *, path: str, body_bytes: int, hosts: Sequence[str], origins: Sequence[str]) -> Starlette:
        """The MCP transport as an application of its own, with these limits and permitted headers."""

    async def tool_schemas(self) -> Mapping[str, ToolSchema]:
        """What each tool takes and gives."""

    async def dataset_changed(self, dataset: str) -> None:
        """Tell subscribers that a dataset has changed."""


def build_app(lake: Lakehouse, server: Surface, access: Access, limits: HttpLimits | None = None) -> Starlette:
    """The application. Its lifespan runs the MCP sessions, so it can be started once."""
    budget = limits or HttpLimits()
    mcp = server.http_app(path=MCP_PATH, body_bytes=budget.json_bytes, hosts=access.hosts, origins=access.origins)
    rest = Rest(
        lake,
        server.tool_schemas,
        server.dataset_changed,
        version=__version__,
        token=access.token is not None,
        incoming=_incoming(lake),
        limits=budget,
    )
    return Starlette(
        routes=[*rest.routes(), *mcp.routes],
        middleware=[
            Middleware(HostAndOrigin, access=access),
            *_sharing(access.shared_with),
            Middleware(BearerToken, access=access),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _unexpected},
        lifespan=mcp.router.lifespan_context,
    )


def _sharing(origins: Sequence[str]) -> list[Middleware]:
    """Cross-origin reading, for the origins that were named and nobody else."""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=["Mcp-Session-Id", "WWW-Authenticate"],
        )
    ]


async def _http_error(request: Request, raised: Exception) -> Response:
    assert isinstance(raised, HTTPException)
    error: LakehouseError
    if raised.status_code == 405:
        allowed = (raised.headers or {}).get("Allow", "")
        error = InvalidInput(f"{request.url.path} does not take {request.method}", hint=f"use {allowed}")
    else:
        error = NotFound(
            f"there is nothing at {request.url.path[:100]}",
            hint=f"MCP is at {MCP_PATH}; GET /openapi.json describes the rest",
        )
    return problem(error, raised.status_code, headers=dict(raised.headers or {}))


async def _unexpected(_request: Request, raised: Exception) -> Response:
    # Starlette raises it again after the answer, so that the log has the traceback and the client has not.
    return problem(LakehouseError(f"unexpected {type(raised).__name__}", hint="the server's log has the details"), 500)


def _incoming(lake: Lakehouse) -> Path:
    """A folder of this process that `ingest` may read from, removed with it: where uploads are put."""
    return lake.uploads
