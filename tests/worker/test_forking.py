"""The process that workers are forked from."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from mcp_lakehouse.errors import WorkerDied
from mcp_lakehouse.worker import forking, process, starting
from mcp_lakehouse.worker.process import Worker
from worker.test_processes import ENDLESS, run_request, sql_worker

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are forked on Linux only")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[starting.ForkServer]:
    """A fork server of the test's own, which all its workers come from."""
    own = starting.ForkServer()
    monkeypatch.setattr(starting, "fork_server", lambda: own)
    yield own
    own.close()


def pid_of(server: starting.ForkServer) -> int:
    assert server._process is not None
    return server._process.pid


def one(worker: Worker) -> object:
    return worker.call(run_request("SELECT 1 AS one"), timeout_seconds=30)["rows"]


def worker_in(folder: Path) -> Worker:
    folder.mkdir()
    return sql_worker(folder)


def test_workers_share_what_is_loaded_and_no_descriptor(tmp_path: Path, server: starting.ForkServer) -> None:
    first, second = worker_in(tmp_path / "1"), worker_in(tmp_path / "2")
    assert one(first) == one(second) == [[1]]
    origin = psutil.Process(pid_of(server))
    assert origin.name() == forking.NAME
    assert {child.pid for child in origin.children()} == {first.pid, second.pid}
    assert {child.name() for child in origin.children()} == {"lakehouse-sql"}
    assert origin.num_threads() == 1
    sockets = [_sockets(worker.pid) for worker in (first, second)]
    # Its own conversation, and nobody's beside it.
    assert [len(each) for each in sockets] == [1, 1]
    assert sockets[0] != sockets[1]
    # A signal to one is a signal to no other.
    assert {os.getpgid(worker.pid) for worker in (first, second)} == {first.pid, second.pid}
    first.close()
    assert one(second) == [[1]]
    second.close()


def _sockets(pid: int) -> set[str]:
    targets = {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    return {target for target in targets if target.startswith("socket:")}


def test_workers_at_work_outlive_it_and_the_next_one_begins_another(
    tmp_path: Path, server: starting.ForkServer
) -> None:
    at_work = worker_in(tmp_path / "1")
    assert one(at_work) == [[1]]
    pid, origin = at_work.pid, pid_of(server)
    os.kill(origin, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while at_work.alive:
        # It cannot be asked any more whether it lives, so nobody counts on it.
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
    assert one(at_work) == [[1]]
    following = worker_in(tmp_path / "2")
    assert one(following) == [[1]]
    assert pid_of(server) != origin
    following.close()
    at_work.close()
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the worker still runs"
        threading.Event().wait(0.01)


def test_one_that_somebody_has_stopped_is_replaced(
    tmp_path: Path, server: starting.ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = worker_in(tmp_path / "1")
    assert one(first) == [[1]]
    os.kill(pid_of(server), signal.SIGSTOP)
    monkeypatch.setattr(starting, "_FORKED_SECONDS", 0.5)
    stuck = worker_in(tmp_path / "2")
    with pytest.raises(WorkerDied):
        one(stuck)
    monkeypatch.setattr(starting, "_FORKED_SECONDS", 30)
    following = worker_in(tmp_path / "3")
    assert one(following) == [[1]]
    for worker in (first, stuck, following):
        worker.close()


def test_it_ends_when_nobody_needs_it_and_not_before() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    code = (
        "import socket, sys; from mcp_lakehouse.worker.forking import fork_on_request;"
        "fork_on_request(socket.socket(fileno=int(sys.argv[1])), idle_seconds=0.3)"
    )
    with (
        ours,
        subprocess.Popen([sys.executable, "-c", code, str(theirs.fileno())], pass_fds=[theirs.fileno()]) as origin,
    ):
        theirs.close()
        status, told = os.pipe()
        conversation, its_own = socket.socketpair()
        lifeline, held = os.pipe()
        with conversation, its_own:
            socket.send_fds(ours, [b"sql"], [told, its_own.fileno(), lifeline])
        os.close(told)
        # Nobody speaks to the worker, so it ends, with its process id and its code told; the other one follows.
        with os.fdopen(status, "rb") as numbers:
            pid, ended = (forking.STATUS.unpack(numbers.read(forking.STATUS.size))[0] for _ in range(2))
        assert (pid > 0, ended) == (True, 0)
        assert origin.wait(10) == 0
        with pytest.raises(OSError):  # noqa: PT011  # a broken pipe or a reset connection
            socket.send_fds(ours, [b"sql"], [lifeline])
        os.close(lifeline)
        os.close(held)


def test_a_worker_that_cannot_begin_is_an_error(tmp_path: Path, server: starting.ForkServer) -> None:
    unknown = Worker("dancing", {"readable": []}, scratch=tmp_path / "scratch")
    with pytest.raises(WorkerDied, match="exit 1"):
        unknown.call({"op": "hello"}, timeout_seconds=20)
    unknown.close()
    assert unknown.pid != pid_of(server)


def test_several_threads_hear_the_same_of_a_worker() -> None:
    for _ in range(300):
        status, told = os.pipe()
        os.write(told, forking.STATUS.pack(4711) + forking.STATUS.pack(-9))
        os.close(told)
        forked = starting.Forked(status)
        threads = [threading.Thread(target=forked.poll) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (forked.pid, forked.poll()) == (4711, -9)


@pytest.mark.parametrize("fails", ["at once", "later"])
def test_a_process_that_cannot_be_had_is_an_error_and_costs_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def start(_role: str, _descriptors: Sequence[int]) -> starting.Forked:
        if fails == "at once":
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        status, told = os.pipe()
        os.close(told)
        return starting.Forked(status)

    monkeypatch.setattr(process, "start", start)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(WorkerDied) as caught:
            greet(tmp_path)
        assert caught.value.hint
    # What an error holds of its frames.
    del caught
    gc.collect()
    # What other tests have left may go meanwhile.
    assert len(os.listdir("/proc/self/fd")) <= before


def greet(folder: Path) -> None:
    worker = sql_worker(folder)
    with contextlib.closing(worker):
        worker.call({"op": "hello"}, timeout_seconds=5)


def test_where_nothing_is_forked_a_worker_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "start", starting.spawn)
    worker = sql_worker(tmp_path)
    assert one(worker) == [[1]]
    assert psutil.Process(worker.pid).parent() == psutil.Process()
    threading.Timer(0.2, os.kill, (worker.pid, signal.SIGSEGV)).start()
    with pytest.raises(WorkerDied, match="SIGSEGV"):
        worker.call(ENDLESS, timeout_seconds=30)
    worker.close()


def test_more_descriptors_than_a_message_holds_are_passed_too(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(forking.MOST_DESCRIPTORS + 10)]
    for folder in folders:
        folder.mkdir()
    config = {"readable": [str(folder) for folder in folders], "writable": [str(tmp_path / "scratch")]}
    limits = {"memory_bytes": 1 << 28, "address_space_bytes": 4 << 30, "file_bytes": 1 << 28, "threads": 1}
    worker = Worker("load", config | limits, scratch=tmp_path / "scratch")
    assert "confined" in worker.call({"op": "hello"}, timeout_seconds=30)
    worker.close()
