"""Telling subscribers what changed, in both protocol eras.

The SDK serves `subscriptions/listen` (2026-07-28) itself; clients of the earlier revisions use
`resources/subscribe`, which it leaves to the server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import anyio
from mcp.server import MCPServer
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourcesListChanged, ResourceUpdated, ServerEvent
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST, EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from lakehouse_tools.resources import DATASETS, ERRORS
from lakehouse_tools.watching import Watch
from mcp_lakehouse.catalog.catalog import Catalog

# A client that subscribes without end must not fill the memory.
_SUBSCRIPTIONS = 10_000
# A client that does not read must not hold up the call whose change it is told of.
_TELL_SECONDS = 1.0


class Bus(InMemorySubscriptionBus):
    """The SDK's; it also knows how many listen."""

    listeners = 0

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """As the SDK's."""
        unsubscribe = super().subscribe(listener)
        self.listeners += 1
        left = False

        def leave() -> None:
            nonlocal left
            unsubscribe()
            self.listeners -= not left
            left = True

        return leave


class Subscribers:
    """Who listens. `bus` is for the SDK; connections of the earlier revisions are kept here by URI.

    They hear of what other processes change in the catalog too.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.bus = Bus()
        self._listening: dict[str, dict[Connection, ServerSession]] = {}
        self._watch = Watch(catalog.heads, catalog.head, self._told, self._anybody)

    def register(self, server: MCPServer[Any]) -> None:
        """Serve `resources/subscribe` and `resources/unsubscribe`, and watch for who listens in either way."""
        server.middleware.append(self._watched)
        low_level = server._lowlevel_server
        low_level.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        low_level.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)

    @property
    def count(self) -> int:
        """How many subscriptions of earlier revisions there are."""
        return sum(map(len, self._listening.values()))

    async def dataset_changed(self, dataset: str) -> None:
        """Notify everyone who listens to the dataset, its sample, or the list, of a change made here."""
        await self._watch.changed_here(dataset)
        await self._told(dataset)

    async def _told(self, dataset: str) -> None:
        await self.bus.publish(ResourcesListChanged())
        # A client may write a name of another script as it is or percent-encoded.
        names = dict.fromkeys((dataset, quote(dataset, safe="")))
        for uri in (DATASETS, *(f"{DATASETS}/{name}{part}" for name in names for part in ("", "/sample"))):
            await self._updated(uri)

    async def error_happened(self) -> None:
        """Notify everyone who listens to the errors."""
        await self._updated(ERRORS)

    async def _updated(self, uri: str) -> None:
        await self.bus.publish(ResourceUpdated(uri=uri))
        for session in list(self._listening.get(uri, {}).values()):
            with anyio.move_on_after(_TELL_SECONDS):
                await session.send_resource_updated(uri)

    def _anybody(self) -> bool:
        return self.bus.listeners + self.count > 0

    async def _watched(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method in ("subscriptions/listen", "resources/subscribe"):
            await self._watch.begin()
        return await call_next(ctx)

    async def _subscribe(self, ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams) -> EmptyResult:
        if self.count >= _SUBSCRIPTIONS:
            raise MCPError(INVALID_REQUEST, f"more than {_SUBSCRIPTIONS:,} subscriptions")
        # Sessions are made anew for each message; what they share is the connection.
        connection = ctx.session._connection
        if not any(connection in listening for listening in self._listening.values()):
            connection.exit_stack.callback(self._forget, connection)
        self._listening.setdefault(str(params.uri), {})[connection] = ctx.session
        return EmptyResult()

    async def _unsubscribe(self, ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        self._listening.get(str(params.uri), {}).pop(ctx.session._connection, None)
        return EmptyResult()

    def _forget(self, connection: Connection) -> None:
        """The connection has ended."""
        for listening in self._listening.values():
            listening.pop(connection, None)
        self._listening = {uri: listening for uri, listening in self._listening.items() if listening}
