"""A real S3 server on loopback, in a process of its own that ends when the test run does.

`moto` honours `If-None-Match: *`, which is what commits rest on.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

BUCKET = "lakes"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@contextlib.contextmanager
def s3_server() -> Iterator[Mapping[str, str]]:
    """Run a server with one empty bucket (`lakes`); gives the environment that reaches it."""
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        assert endpoint, "the S3 server did not start"
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT"), timeout=10).close()
        yield environment(endpoint)
    finally:
        process.communicate()


def environment(endpoint: str) -> Mapping[str, str]:
    """The variables for a server at this endpoint. The keys are made up."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIATESTKEY",
        "AWS_SECRET_ACCESS_KEY": "TESTSECRETVALUE",
    }


class OneWriteAtATime:
    """The server looks whether a key is there and then writes it; S3 does both at once."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._writing = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        with self._writing if environ["REQUEST_METHOD"] == "PUT" else contextlib.nullcontext():
            return self._application(environ, start)


def _serve() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    application = OneWriteAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    # The pipe closes with the test run, however that ends.
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    _serve()
