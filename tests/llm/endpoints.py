"""An endpoint on loopback that does exactly what a test scripts, down to the bytes on the socket."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SECRET = "sk-secret-0123456789"


@dataclass(frozen=True, slots=True)
class Request:
    """What came in. Header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Any


Behaviour = Callable[[socket.socket, Request], None]


@dataclass
class FakeEndpoint:
    """Answers each connection's one request with the next behaviour; the last one stays in force."""

    listener: socket.socket
    script: list[Behaviour] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"

    def does(self, *behaviours: Behaviour) -> None:
        """What the next requests get."""
        self.script[:] = behaviours

    def serve(self) -> None:
        threads = []
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                break
            thread = threading.Thread(target=self.converse, args=(connection,))
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join(10)

    def converse(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            request = received(connection)
            if request is not None:
                self.requests.append(request)
                behaviour = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                behaviour(connection, request)

    def hangs(self, connection: socket.socket, _request: Request) -> None:
        """Says nothing more until the client or the test ends."""
        connection.settimeout(0.02)
        while not self.closing.is_set():
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1):
                    return

    def sends_then_hangs(self, content: bytes) -> Behaviour:
        def behaviour(connection: socket.socket, request: Request) -> None:
            connection.sendall(content)
            self.hangs(connection, request)

        return behaviour


@contextlib.contextmanager
def running() -> Iterator[FakeEndpoint]:
    listener = socket.create_server(("127.0.0.1", 0))
    endpoint = FakeEndpoint(listener)
    thread = threading.Thread(target=endpoint.serve)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.closing.set()
        # Wakes the accept that is waiting.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def received(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65_536)
    return Request(first.split()[1], headers, json.loads(body) if body else None)


def raw(content: bytes) -> Behaviour:
    """Sends these bytes and closes."""
    return lambda connection, _request: connection.sendall(content)


def answer(body: object, status: int = 200, **headers: str) -> Behaviour:
    """A whole answer; `body` as JSON, or as it is where it is bytes."""
    return raw(written(body, status, **headers))


def written(body: object, status: int = 200, length: int | None = None, **headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status} Whatever",
        f"content-length: {len(content) if length is None else length}",
        "connection: close",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def streamed(*data: object, end: bytes = b"") -> bytes:
    """An event stream without a length: it ends where the connection does."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    texts = [each if isinstance(each, str) else json.dumps(each) for each in data]
    return head + b"".join(f"data: {text}\n\n".encode() for text in texts) + end
