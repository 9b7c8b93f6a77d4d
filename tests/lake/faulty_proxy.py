"""A server in front of an S3 server that passes requests on, and answers some of them badly."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import urlsplit

_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "server", "date"}


@dataclass(frozen=True)
class Answer:
    """What the server behind has answered, or what is answered in its place."""

    status: int
    headers: Mapping[str, str]
    body: bytes


# Given the request's method and path and a function that passes it on; `None` breaks the connection off.
Fault = Callable[[str, str, Callable[[], Answer]], Answer | None]


def none(_method: str, _path: str, pass_on: Callable[[], Answer]) -> Answer | None:
    """All is well."""
    return pass_on()


def late(seconds: float) -> Fault:
    """Every answer takes so much longer."""

    def fault(_method: str, _path: str, pass_on: Callable[[], Answer]) -> Answer | None:
        time.sleep(seconds)
        return pass_on()

    return fault


def busy(times: int | None = None) -> Fault:
    """503 to each request the first so many times (`None`: always)."""
    lock, seen = threading.Lock(), dict[tuple[str, str], int]()

    def fault(method: str, path: str, pass_on: Callable[[], Answer]) -> Answer | None:
        with lock:
            seen[method, path] = seen.get((method, path), 0) + 1
            if times is None or seen[method, path] <= times:
                body = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>"
                return Answer(503, {"Content-Type": "application/xml"}, body)
        return pass_on()

    return fault


def lost(method: str, part: str, times: int) -> Fault:
    """Requests of this kind whose path holds `part` are carried out, and the answer is lost, so many times."""
    lock, left = threading.Lock(), [times]

    def fault(asked: str, path: str, pass_on: Callable[[], Answer]) -> Answer | None:
        answer = pass_on()
        with lock:
            if asked == method and part in path and left[0]:
                left[0] -= 1
                return None
        return answer

    return fault


def closed_to_writes(method: str, _path: str, pass_on: Callable[[], Answer]) -> Answer | None:
    """Reading is allowed, writing is not."""
    if method in ("PUT", "POST", "DELETE"):
        body = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        return Answer(403, {"Content-Type": "application/xml"}, body)
    return pass_on()


def shorter(part: str, *, told: bool) -> Fault:
    """Half of each object whose key holds `part`, with its length as it should be or (`told`) as it is sent."""

    def fault(method: str, path: str, pass_on: Callable[[], Answer]) -> Answer | None:
        answer = pass_on()
        if method != "GET" or part not in path or answer.status not in (200, 206):
            return answer
        half = answer.body[: len(answer.body) // 2]
        claimed = {} if told else {"Content-Length": str(len(answer.body))}
        return Answer(answer.status, {**answer.headers, **claimed}, half)

    return fault


class FaultyProxy(ThreadingHTTPServer):
    """Passes on to `behind`; `fault` may be set at any time."""

    daemon_threads = True
    fault: Fault

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(behind).netloc
        self.fault = none
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are expected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        server = cast(FaultyProxy, self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = server.fault(self.command, self.path, lambda: self._pass_on(server.behind, body))
        if given is None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(given.status)
        headers = {"Content-Length": str(len(given.body)), **given.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(given.body)
        if int(headers["Content-Length"]) != len(given.body) and self.command != "HEAD":
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    def _pass_on(self, behind: str, body: bytes) -> Answer:
        with contextlib.closing(http.client.HTTPConnection(behind, timeout=30)) as connection:
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            response = connection.getresponse()
            data = response.read()
            headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
            if self.command == "HEAD":
                headers["Content-Length"] = response.getheader("Content-Length", "0")
            return Answer(response.status, headers, data)

    def log_message(self, *_: object) -> None:
        return


@contextlib.contextmanager
def faulty_proxy(behind: str) -> Iterator[FaultyProxy]:
    """A proxy that is gone afterwards."""
    proxy = FaultyProxy(behind)
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
