"""Framed JSON messages over one socket: a 4-byte big-endian length, then UTF-8 JSON."""

from __future__ import annotations

import json
import select
import socket
import struct
from typing import Any

_LENGTH = struct.Struct(">I")

# A message is a request, an event or an answer; keys are fixed by the two ends that speak.
Message = dict[str, Any]


class ChannelClosed(Exception):
    """The other end is gone."""


class Channel:
    """One end of a conversation. Not for use by two threads at once."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send(self, message: Message) -> None:
        """Send one message; raises `ChannelClosed` when nobody is there to read it."""
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        try:
            self._socket.sendall(_LENGTH.pack(len(body)) + body)
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def send_bytes(self, data: bytes | memoryview) -> None:
        """Send a message {"bytes": count}, then the bytes; raises as `send` does."""
        self.send({"bytes": len(data)})
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def receive_bytes(self, count: int) -> bytearray:
        """The bytes that a message {"bytes": count} announced. Raises `ChannelClosed`."""
        data = bytearray(count)
        free = memoryview(data)
        try:
            while free:
                taken = self._socket.recv_into(free)
                if not taken:
                    raise ChannelClosed("the other end closed")
                free = free[taken:]
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        return data

    def receive(self, timeout_seconds: float | None = None) -> Message | None:
        """The next message, or `None` if none began within the timeout.

        Raises `ChannelClosed` at the end of the conversation.
        """
        try:
            if timeout_seconds is not None:
                ready, _, _ = select.select([self._socket], [], [], max(0.0, timeout_seconds))
                if not ready:
                    return None
            (length,) = _LENGTH.unpack(self._read_exactly(_LENGTH.size))
            message: Message = json.loads(self._read_exactly(length))
        except (OSError, ValueError) as error:
            raise ChannelClosed(str(error)) from error
        return message

    def waits(self) -> bool:
        """Whether something has come that `receive` would read, or the other end is gone."""
        try:
            return bool(select.select([self._socket], [], [], 0)[0])
        except (OSError, ValueError):
            return True

    def close(self) -> None:
        """Close this end; the other end's next `receive` raises `ChannelClosed`."""
        self._socket.close()

    def _read_exactly(self, count: int) -> bytes:
        chunks: list[bytes] = []
        while count:
            chunk = self._socket.recv(min(count, 1 << 20))
            if not chunk:
                raise ChannelClosed("the other end closed")
            chunks.append(chunk)
            count -= len(chunk)
        return b"".join(chunks)
