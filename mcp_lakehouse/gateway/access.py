"""Who may come in: host, origin and token checks in front of every route, REST and MCP alike.

A page in a browser can reach a server on its own machine: by its own origin, or under a name of its
own that it lets point to 127.0.0.1. Checking `Origin` stops the first, checking `Host` the second.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_lakehouse.errors import InvalidInput, LakehouseError, NotAllowed
from mcp_lakehouse.gateway.problems import problem

if TYPE_CHECKING:
    from mcp_lakehouse.lakehouse import Lakehouse

# What somebody who sends this token (or none) may read. Raises `NotAllowed`.
LakeFor = Callable[[str | None], "Lakehouse"]

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_WILDCARDS = ("0.0.0.0", "::", "")
# Monitoring has no token.
_OPEN_PATHS = ("/health",)


@dataclass(frozen=True, slots=True)
class Access:
    """What is let in. A host or origin that ends in `:*` stands for any port."""

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    # The origins a browser may read answers from.
    shared_with: tuple[str, ...]
    token: str | None

    @classmethod
    def of(cls, host: str, port: int, *, token: str = "", origins: Sequence[str] = ()) -> Self:
        """Loopback, the address served on, and the named origins with their hosts.

        Raises `InvalidInput` for an origin that is none.
        """
        named = tuple(_origin(text) for text in origins)
        own = tuple(f"{name}:{port}" for name in _own_names(host))
        hosts = (
            *(f"{name}:*" for name in _LOOPBACK),
            *_LOOPBACK,
            *own,
            *(urlsplit(origin).netloc for origin in named),
        )
        own_origins = (*(f"http://{name}:*" for name in _LOOPBACK), *(f"http://{name}" for name in (*_LOOPBACK, *own)))
        return cls(hosts, (*own_origins, *named), named, token.strip() or None)

    def host_allowed(self, host: str) -> bool:
        """Whether a `Host` header names this server."""
        return _matches(host.lower(), self.hosts)

    def origin_allowed(self, origin: str | None) -> bool:
        """Whether a page of this origin may call; no origin means no page."""
        return origin is None or _matches(origin.lower(), self.origins)

    def token_fits(self, authorization: str | None) -> bool:
        """Whether an `Authorization` header carries the token, in a time that tells nothing about it."""
        return self.token is None or fits(self.token, authorization)


def fits(token: str, authorization: str | None) -> bool:
    """Whether an `Authorization` header carries this token, in a time that tells nothing about it."""
    # Starlette reads headers as Latin-1.
    return _same(token, (bearer(authorization) or "").encode("latin-1"))


class HostAndOrigin:
    """Middleware: refuses requests meant for another server or sent by a foreign page."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421 or 403."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host, origin = headers.get("host", ""), headers.get("origin")
            refused: tuple[LakehouseError, int] | None = None
            if not self._access.host_allowed(host):
                hint = f"call it by its own address, or name it: LAKEHOUSE_ORIGINS=http://{host[:100] or 'HOST'}"
                refused = NotAllowed(f"this server does not answer for host {host[:100]!r}", hint=hint), 421
            elif not self._access.origin_allowed(origin):
                hint = "name it in LAKEHOUSE_ORIGINS if pages from there may call"
                refused = NotAllowed(f"origin {(origin or '')[:100]!r} may not call this server", hint=hint), 403
            if refused is not None:
                await problem(*refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BearerToken:
    """Middleware: asks for the token, except where monitoring looks."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS:
            authorization = Headers(scope=scope).get("authorization")
            if not self._access.token_fits(authorization):
                given = ', error="invalid_token"' if authorization else ""
                error = NotAllowed(
                    "the bearer token is wrong" if authorization else "this server asks for a bearer token",
                    hint="send the header Authorization: Bearer TOKEN, with the server's LAKEHOUSE_TOKEN",
                )
                challenge = {"WWW-Authenticate": f'Bearer realm="mcp-lakehouse"{given}'}
                await problem(error, 401, headers=challenge)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def bearer(authorization: str | None) -> str | None:
    """The token that an `Authorization` header carries, or `None`."""
    scheme, _, given = (authorization or "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else None


def by_token(*lakes: tuple[str, Lakehouse]) -> LakeFor:
    """The lake behind each token; one behind an empty token is that of whoever sends none of the others."""
    known = [(token.strip(), lake) for token, lake in lakes]
    everybodys = [lake for token, lake in known if not token]

    def lake_for(given: str | None) -> Lakehouse:
        # All are compared, so that the time tells nothing about them.
        sent = (given or "").encode("utf-8", "surrogatepass")
        found = [lake for token, lake in known if token and _same(token, sent)] or everybodys
        if not found:
            raise NotAllowed(
                "this server asks for a bearer token" if given is None else "the bearer token is wrong",
                hint="send the header authorization: Bearer TOKEN, with the server's LAKEHOUSE_TOKEN",
            )
        return found[0]

    return lake_for


def is_loopback(address: str) -> bool:
    """Whether an IP address is reachable from this machine only."""
    return ipaddress.ip_address(address.split("%")[0]).is_loopback


def _same(token: str, given: bytes) -> bool:
    return hmac.compare_digest(given, token.encode())


def _matches(value: str, patterns: Sequence[str]) -> bool:
    if value in patterns:
        return True
    name, colon, port = value.rpartition(":")
    return bool(colon) and port.isdecimal() and f"{name}:*" in patterns


def _own_names(host: str) -> list[str]:
    """The names under which a server on this address may be called."""
    if host in _WILDCARDS:
        return [socket.gethostname().lower(), *_outward_addresses()]
    return [f"[{host}]" if ":" in host else host.lower()]


def _outward_addresses() -> list[str]:
    """This machine's addresses towards others. Nothing is sent: a datagram socket only looks up its route."""
    found = []
    for family, beyond in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((beyond, 9))
                address = probe.getsockname()[0]
        except OSError:
            continue
        found.append(f"[{address}]" if ":" in address else address)
    return found


def _origin(text: str) -> str:
    given = text.strip().lower().removesuffix("/")
    scheme, _, name = given.partition("://")
    try:
        parts = urlsplit(given)
        whole = parts.port != 0 and parts.hostname is not None and parts.netloc == name and "@" not in name
    except ValueError:
        whole = False
    if scheme not in ("http", "https") or not whole:
        raise InvalidInput(f"origin {text[:100]!r} is not one", hint="write it as https://name or http://name:port")
    return given
