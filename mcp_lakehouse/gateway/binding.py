"""Addresses to listen on: looked up, refused where others could come in without a token, bound."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mcp_lakehouse.errors import InvalidInput, LakehouseError, NotAllowed
from mcp_lakehouse.gateway.access import is_loopback

_BACKLOG = 512


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server may listen, as `socket` wants it."""

    family: socket.AddressFamily
    kind: socket.SocketKind
    protocol: int
    address: tuple[Any, ...]


def permitted(host: str, port: int, *, token: str, flag: str = "--http") -> Address:
    """The address of a host and port.

    Raises `NotAllowed` when others could reach it and there is no token, `InvalidInput` for one that is none.
    `flag` is what the user gave it by.
    """
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, OverflowError, UnicodeError) as error:
        raise InvalidInput(
            f"{host!r} port {port} is no address to listen on: {error}", hint=f"e.g. {flag} 127.0.0.1"
        ) from error
    # Of a name with both, such as localhost, the address that most clients try.
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    if not token.strip() and not is_loopback(str(address[0])):
        raise NotAllowed(
            f"{host or '0.0.0.0'} can be reached from other machines, and no token is set",
            hint="set LAKEHOUSE_TOKEN to a long random text that clients send as a bearer token, or serve on 127.0.0.1",
        )
    return Address(family, kind, protocol, address)


@contextlib.contextmanager
def listening(host: str, port: int, *, token: str, flag: str = "--http") -> Iterator[socket.socket]:
    """A socket that listens on the address. Raises as `permitted` does, and for an address that cannot be had."""
    at = permitted(host, port, token=token, flag=flag)
    listener = socket.socket(at.family, at.kind, at.protocol)
    try:
        # Else a restart would have to wait for the kernel to forget the connections of the last run.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(at.address)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise _not_bound(error, host, port, flag) from error
        yield listener
    finally:
        listener.close()


def shown(host: str) -> str:
    """A host as it stands in an address."""
    return f"[{host}]" if ":" in host else host or "0.0.0.0"


def guard(token: str) -> str:
    """What stands before a server, in words."""
    return "with a bearer token" if token.strip() else "without a token, for this machine only"


def _not_bound(error: OSError, host: str, port: int, flag: str) -> LakehouseError:
    at = f"{host or '0.0.0.0'}:{port}"
    if error.errno == errno.EADDRINUSE:
        return InvalidInput(
            f"port {port} is in use: something else listens on {at}",
            hint=f"stop it (lsof -i :{port} names it), or take another port: {flag} {host or '0.0.0.0'}:{port + 1}",
        )
    if error.errno == errno.EACCES:
        return NotAllowed(f"this user may not listen on port {port}", hint="take a port above 1023")
    return InvalidInput(f"cannot listen on {at}: {error.strerror}", hint="use an address of this machine")
