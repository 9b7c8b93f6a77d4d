"""One server for several readers: the bearer token decides which lake, opened as which profile, answers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from mcp_lakehouse.gateway.access import fits
from mcp_lakehouse.gateway.app import Surface
from mcp_lakehouse.lakehouse import Lakehouse


@dataclass(frozen=True, slots=True, eq=False)
class Door:
    """A lake behind its token (`None`: open to whoever reaches the server), with its MCP server."""

    lake: Lakehouse
    server: Surface
    token: str | None


class Doors:
    """Hands each request to the application of the door whose token it carries; else to the first, which refuses it."""

    def __init__(self, doors: Sequence[Door], apps: Sequence[Starlette]) -> None:
        self._doors = list(zip(doors, apps, strict=True))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        authorization = Headers(scope=scope).get("authorization")
        # All are compared, whichever fits.
        fitting = [app for door, app in self._doors if door.token is not None and fits(door.token, authorization)]
        await (fitting or [self._doors[0][1]])[0](scope, receive, send)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Runs the sessions of all of them."""
        async with contextlib.AsyncExitStack() as stack:
            for _, app in self._doors:
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield


def together(doors: Sequence[Door], apps: Sequence[Starlette]) -> Starlette:
    """The applications of several doors as one."""
    several = Doors(doors, apps)
    return Starlette(routes=[Mount("/", app=several)], lifespan=several.lifespan)
