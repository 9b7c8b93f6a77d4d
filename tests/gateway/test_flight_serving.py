"""`mcp-lakehouse serve --http --flight`: a process of its own, its memory, and how it ends."""

from __future__ import annotations

import collections
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil
import pytest
from pyarrow import flight

from gateway.conftest import TOKEN
from mcp_lakehouse.limits import MIB
from tests.mcp.processes import workers

SECONDS = 30
ENDLESS = "SELECT range AS id, 'a text of some length' AS note FROM range(1_000_000_000_000)"
# About 320 MB.
LARGE = "SELECT range AS id, 'a text that makes the row longer: ' || repeat('x', 110) || range AS note FROM range(2_000_000)"
GROWTH_BYTES = 120 * MIB


@contextmanager
def started(
    lake: Path, address: str, environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A server process with its ports for HTTP and Flight."""
    command = [sys.executable, "-m", "mcp_lakehouse", "serve", "--lake", str(lake), "--http", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--flight", address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        assert process.stderr is not None
        try:
            lines = process.stderr.readline() + process.stderr.readline()
            found = re.search(r"Flight at grpc://\S+:(\d+) .*:(\d+)/mcp", lines, re.DOTALL)
            assert found, lines
            yield process, int(found.group(2)), int(found.group(1))
        finally:
            process.kill()


def test_two_million_rows_pass_through_little_memory_and_a_stalled_client_does_not_keep_it(tmp_path: Path) -> None:
    with (
        started(tmp_path / "lake", "127.0.0.1:0", {}) as (process, _, port),
        flight.connect(f"grpc://127.0.0.1:{port}") as client,
    ):
        server = psutil.Process(process.pid)
        # What it loads with the first call is no growth.
        client.do_get(flight.Ticket(b"SELECT 1 AS one")).read_all()
        before, peak, rows, size = server.memory_info().rss, 0, 0, 0
        grown = {worker: worker.memory_info().rss for worker in workers(process.pid)}
        for number, chunk in enumerate(client.do_get(flight.Ticket(LARGE.encode()))):
            rows += chunk.data.num_rows
            size += chunk.data.nbytes
            if number % 8 == 0:
                peak = max(peak, server.memory_info().rss)
        engine = max(worker.memory_info().rss - grown.get(worker, 0) for worker in workers(process.pid))
        assert (rows, size > 250 * MIB) == (2_000_000, True)
        assert peak - before < GROWTH_BYTES
        assert engine < 2 * GROWTH_BYTES

        reader = client.do_get(flight.Ticket(ENDLESS.encode()))
        reader.read_chunk()
        ended(process, tmp_path / "lake")
        with pytest.raises(flight.FlightError):
            collections.deque(reader, maxlen=0)


def test_a_signal_ends_it_while_rows_are_read_and_a_wide_address_asks_for_the_token(tmp_path: Path) -> None:
    with (
        started(tmp_path / "lake", "0.0.0.0:0", {"LAKEHOUSE_TOKEN": TOKEN}) as (process, http, port),
        flight.connect(f"grpc://127.0.0.1:{port}") as client,
    ):
        with pytest.raises(flight.FlightUnauthenticatedError):
            client.do_get(flight.Ticket(b"SELECT 1"))
        assert httpx2.post(f"http://127.0.0.1:{http}/sql", json={"statement": "SELECT 1"}).status_code == 401
        right = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {TOKEN}".encode())])
        reader = client.do_get(flight.Ticket(ENDLESS.encode()), right)
        reader.read_chunk()
        ending = threading.Thread(target=ended, args=(process, tmp_path / "lake"))
        ending.start()
        with pytest.raises(flight.FlightError):
            collections.deque(reader, maxlen=0)
        ending.join()


def ended(process: subprocess.Popen[str], lake: Path) -> None:
    """A signal ends the server and its workers, and nothing is left behind."""
    at_work = workers(process.pid)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, output) == (0, "")
    assert "Traceback" not in errors
    gone, alive = psutil.wait_procs(at_work, timeout=5)
    assert gone
    assert not alive
    assert list((lake / "_cache" / "scratch").iterdir()) == []
