"""`mcp-lakehouse serve --http`: the address it takes, and how it stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from gateway.conftest import TOKEN
from tests.mcp.processes import LONG, ends, worker_at_work

SECONDS = 30


def command(lake: Path, address: str) -> list[str]:
    return [sys.executable, "-m", "mcp_lakehouse", "serve", "--lake", str(lake), "--http", address]


def refused(lake: Path, address: str, **environment: str) -> str:
    """What a server says that does not start."""
    done = subprocess.run(
        command(lake, address), capture_output=True, text=True, timeout=SECONDS, env={**os.environ, **environment}
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def started(lake: Path, address: str, environment: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with subprocess.Popen(
        command(lake, address), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        try:
            found = re.search(r":(\d+)/mcp", process.stderr.readline())
            assert found
            yield process, int(found.group(1))
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_stops_it_cleanly_even_at_work(tmp_path: Path, number: signal.Signals) -> None:
    with started(tmp_path / "lake", "127.0.0.1:0", {}) as (process, port):
        with socket.create_connection(("127.0.0.1", port)) as busy:
            body = f'{{"statement": "{LONG}"}}'
            head = f"POST /sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            busy.sendall(f"{head}\r\n\r\n{body}".encode())
            worker = worker_at_work(process.pid)
            process.send_signal(number)
            output, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, output) == (0, "")
        assert "Traceback" not in errors
        assert ends(worker)


def test_a_port_in_use_is_named_with_a_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(tmp_path / "lake", f"127.0.0.1:{port}")
    assert f"port {port} is in use" in said
    assert "hint:" in said
    assert f"--http 127.0.0.1:{port + 1}" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_a_wide_address_needs_a_token(tmp_path: Path, host: str) -> None:
    said = refused(tmp_path / "lake", f"{host}:0", LAKEHOUSE_TOKEN="")
    assert "no token is set" in said
    assert "LAKEHOUSE_TOKEN" in said


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    assert "cannot listen" in refused(tmp_path / "lake", "192.0.2.7:0", LAKEHOUSE_TOKEN=TOKEN)


def test_an_origin_that_is_none_stops_the_start(tmp_path: Path) -> None:
    assert "origin 'friend'" in refused(tmp_path / "lake", "127.0.0.1:0", LAKEHOUSE_ORIGINS="friend")


def test_on_a_wide_address_the_token_and_the_host_are_checked(tmp_path: Path) -> None:
    with started(tmp_path / "lake", "0.0.0.0:0", {"LAKEHOUSE_TOKEN": TOKEN}) as (_, port):
        url = f"http://127.0.0.1:{port}/sql"
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx2.post(url, json={"statement": "SELECT 1"}).status_code == 401
        assert httpx2.post(url, json={"statement": "SELECT 1"}, headers=right).status_code == 200
        foreign = httpx2.post(url, json={"statement": "SELECT 1"}, headers={**right, "Host": "evil.example"})
        assert foreign.status_code == 421


def test_a_request_continues_the_trace_of_its_sender(tmp_path: Path) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    sender = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    with started(tmp_path / "lake", "127.0.0.1:0", {"LAKEHOUSE_TRACE": "lake"}) as (_, port):
        url = f"http://127.0.0.1:{port}/sql"
        answer = httpx2.post(url, json={"statement": "SELECT 1", "response_format": "detailed"}, headers=sender)
        assert answer.json()["trace_id"] == trace_id
        statement = {"statement": f"SELECT name FROM system.spans WHERE trace_id = '{trace_id}' ORDER BY started_at"}
        deadline = time.monotonic() + SECONDS
        names: list[str] = []
        # Spans are written some time after they end.
        while "POST /sql" not in names and time.monotonic() < deadline:
            names = [row[0] for row in httpx2.post(url, json=statement).json()["rows"]]
    assert names[0] == "POST /sql"
    assert "sql.execute" in names
