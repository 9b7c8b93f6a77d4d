"""What a worker process does: it reads its configuration, then answers requests until the socket closes."""

from __future__ import annotations

import importlib
import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.worker.channel import Channel, ChannelClosed, Message

Handler = Callable[[Message, Channel], Message]

_ROLES = {"sql": "mcp_lakehouse.sql.engine", "load": "mcp_lakehouse.ingest.loader"}


class Role(Protocol):
    """What the module of a role has."""

    def preload(self) -> None:
        """Import what every worker of the role needs; starts no thread."""

    def start(self, config: Message) -> Handler:
        """Confine this process and get ready; the handler returns the answer to a request."""


def role(name: str) -> Role:
    """The module of a role. Raises `KeyError` where there is no such role."""
    return cast(Role, importlib.import_module(_ROLES[name]))


def serve(name: str, socket_fd: int, lifeline_fd: int, descriptors: Sequence[int]) -> None:
    """Serve one conversation in a role, in a process that may read what lies at `descriptors`."""
    channel = Channel(socket.socket(fileno=socket_fd))
    try:
        config = channel.receive()
        assert config is not None
        handler = role(name).start({**config, "descriptors": list(descriptors)})
        # Only now: a process that already has threads may not enter a user namespace.
        threading.Thread(target=_end_with_parent, args=(lifeline_fd,), daemon=True).start()
        while True:
            request = channel.receive()
            assert request is not None
            channel.send(_answer(handler, request, channel))
    except ChannelClosed:
        return


def _answer(handler: Handler, request: Message, channel: Channel) -> Message:
    try:
        return handler(request, channel)
    except LakehouseError as error:
        return {"error": error.code, "message": error.message, "hint": error.hint}
    except MemoryError:
        return {
            "error": "limit_exceeded",
            "message": "the memory limit was reached",
            "hint": "ask for less at a time: filter, aggregate, or fewer columns",
        }
    except ChannelClosed:
        raise
    except Exception as error:
        return {
            "error": "error",
            "message": f"the worker met something unforeseen ({type(error).__name__}: {error})",
            "hint": "nothing was changed; this is a defect worth reporting, with what was asked",
        }


def _end_with_parent(lifeline_fd: int) -> None:
    os.read(lifeline_fd, 1)
    os._exit(1)
