"""A worker process: `python -m mcp_lakehouse.worker ROLE SOCKET_FD LIFELINE_FD`.

It reads its configuration, then answers requests one at a time until the socket closes.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
import threading
from collections.abc import Callable

from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.worker.channel import Channel, ChannelClosed, Message

# A role is a module with `start(config) -> handler`; handler(request, channel) returns the answer.
_ROLES = {"sql": "mcp_lakehouse.sql.engine", "load": "mcp_lakehouse.ingest.loader"}

Handler = Callable[[Message, Channel], Message]


def main(role: str, socket_fd: int, lifeline_fd: int) -> None:
    """Serve one conversation."""
    channel = Channel(socket.socket(fileno=socket_fd))
    try:
        config = channel.receive()
        assert config is not None
        handler: Handler = importlib.import_module(_ROLES[role]).start(config)
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


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
