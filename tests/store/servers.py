"""Object stores that misbehave, as small HTTP servers on loopback."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


class Server(BaseHTTPRequestHandler):
    """Answers every request with `status` and `body`."""

    status: ClassVar[int] = 200
    body: ClassVar[bytes] = b""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.send_header("ETag", '"0"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    def log_message(self, *_: object) -> None:
        return


class IgnoresConditions(Server):
    """Takes every write, also the second one of a key that was to be new."""

    body = b'<?xml version="1.0"?><DeleteResult></DeleteResult>'


class RefusesTheKey(Server):
    """Refuses, and quotes the caller's credentials as S3 does."""

    status = 403
    body = (
        b'<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated'
        b" does not match</Message><AWSAccessKeyId>AKIATESTKEY</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256"
        b"</StringToSign><SignatureProvided>deadbeef</SignatureProvided></Error>"
    )


class HasNoBucket(Server):
    """Knows no such bucket."""

    status = 404
    body = b'<?xml version="1.0"?><Error><Code>NoSuchBucket</Code><BucketName>lakes</BucketName></Error>'


class BreaksDown(Server):
    """Has an internal error."""

    status = 500
    body = b'<?xml version="1.0"?><Error><Code>InternalError</Code></Error>'


class CutsShort(Server):
    """Promises more bytes than it sends."""

    def answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.send_header("ETag", '"0"')
        self.send_header("Last-Modified", "Sun, 22 Nov 2026 10:00:00 GMT")
        self.end_headers()
        self.wfile.write(b"only this")

    do_GET = answer


@contextlib.contextmanager
def serving(kind: type[Server]) -> Iterator[str]:
    """Run one; gives its endpoint."""
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
