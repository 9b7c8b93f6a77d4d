"""Telling subscribers what changed, in both protocol eras.

The SDK serves `subscriptions/listen` (2026-07-28) itself; clients of the earlier revisions use
`resources/subscribe`, which it leaves to the server.
"""

from __future__ import annotations

from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourcesListChanged, ResourceUpdated
from mcp_types import EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from lakehouse_tools.resources import DATASETS

# A client that subscribes without end must not fill the memory.
_SUBSCRIPTIONS = 10_000
# A client that does not read must not hold up the call whose change it is told of.
_TELL_SECONDS = 1.0


class Subscribers:
    """Who listens. `bus` is for the SDK; sessions of the earlier revisions are kept here by URI."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self._sessions: dict[str, list[ServerSession]] = {}

    def register(self, server: MCPServer[Any]) -> None:
        """Serve `resources/subscribe` and `resources/unsubscribe`."""
        low_level = server._lowlevel_server
        low_level.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        low_level.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)

    async def dataset_changed(self, dataset: str) -> None:
        """Notify everyone who listens to the dataset, its sample, or the list."""
        await self.bus.publish(ResourcesListChanged())
        for uri in (DATASETS, f"{DATASETS}/{dataset}", f"{DATASETS}/{dataset}/sample"):
            await self.bus.publish(ResourceUpdated(uri=uri))
            for session in list(self._sessions.get(uri, ())):
                if not await _told(session, uri):
                    self._sessions[uri].remove(session)

    async def _subscribe(self, ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams) -> EmptyResult:
        if sum(map(len, self._sessions.values())) < _SUBSCRIPTIONS:
            self._sessions.setdefault(str(params.uri), []).append(ctx.session)
        return EmptyResult()

    async def _unsubscribe(self, ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        # Sessions are made anew for each message; what they share is the connection.
        connection = ctx.session._connection
        sessions = self._sessions.get(str(params.uri), [])
        self._sessions[str(params.uri)] = [session for session in sessions if session._connection is not connection]
        return EmptyResult()


async def _told(session: ServerSession, uri: str) -> bool:
    with anyio.move_on_after(_TELL_SECONDS):
        try:
            await session.send_resource_updated(uri)
        except Exception:
            # The session has ended; whatever its transport raised, nobody is there to be told.
            return False
        return True
    return False
