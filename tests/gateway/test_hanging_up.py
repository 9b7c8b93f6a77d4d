"""Clients that go away or dawdle."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator

import pytest

from gateway.conftest import Served, serving
from mcp_lakehouse.gateway.limits import HttpLimits
from tests.mcp.processes import LONG, ends, worker_at_work


@pytest.fixture
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lake that waits a tenth of a second for the next piece of a body."""
    limits = HttpLimits(silence_seconds=0.1, shutdown_seconds=1)
    with serving(tmp_path_factory.mktemp("hasty"), limits=limits) as each:
        yield each


def request(served: Served, path: str, kind: str, length: int, body: bytes) -> socket.socket:
    """A connection on which this much of a request was sent."""
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=30)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def test_a_client_that_hangs_up_stops_its_statement(served: Served) -> None:
    body = json.dumps({"statement": LONG}).encode()
    connection = request(served, "/sql", "application/json", len(body), body)
    worker = worker_at_work(os.getpid())
    assert served.rows("SELECT 1") == [[1]]
    assert served.http.get("/health").status_code == 200
    connection.close()
    assert ends(worker)
    assert served.rows("SELECT count(*) FROM people") == [[3]]


def test_a_client_that_hangs_up_in_an_upload_leaves_nothing(served: Served) -> None:
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="half.csv"\r\n\r\na,b\n1,2\n'
    connection = request(served, "/ingest", "multipart/form-data; boundary=b", 10_000_000, start)
    connection.close()
    assert served.rows("SELECT 1") == [[1]]
    assert [each.name for each in served.lake.list_datasets().datasets] == ["people"]


@pytest.mark.parametrize("path", ["/sql", "/ingest"])
def test_a_client_that_dawdles_is_told_so(hasty: Served, path: str) -> None:
    with request(hasty, path, "application/json", 1_000, b'{"statement": ') as connection:
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code": "limit_exceeded"' in answer
