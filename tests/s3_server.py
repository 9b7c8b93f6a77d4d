"""A real S3 server on loopback, in a process of its own that ends when the test run does.

`moto` honours `If-None-Match: *`, which is what commits rest on.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping

BUCKET = "lakes"


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


def _serve() -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    # The pipe closes with the test run, however that ends.
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    _serve()
