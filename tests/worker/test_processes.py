"""Worker processes: what they may touch, and how they end."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, LimitExceeded, WorkerDied
from mcp_lakehouse.worker import confine
from mcp_lakehouse.worker.channel import Channel, ChannelClosed
from mcp_lakehouse.worker.pool import Pool
from mcp_lakehouse.worker.process import Worker

CONFINED = """
import os, socket, sys
from mcp_lakehouse.worker import confine
alone = confine.leave_network()
version = confine.restrict_files(readable=[sys.argv[1]], writable=[sys.argv[2]])
def attempt(work):
    try:
        work()
        return "yes"
    except OSError:
        return "no"
print(version, int(alone),
      attempt(lambda: open(sys.argv[1] + "/in.txt").read()),
      attempt(lambda: open(sys.argv[1] + "/in.txt", "w")),
      attempt(lambda: open(sys.argv[3]).read()),
      attempt(lambda: open(sys.argv[2] + "/new.txt", "w")),
      attempt(lambda: socket.create_connection(("127.0.0.1", int(sys.argv[4])), timeout=2)))
"""


def sql_worker(folder: Path, data: Path | None = None) -> Worker:
    config = {
        "readable": [str(data or folder)], "data": [str(data or folder)], "scratch": str(folder / "scratch"),
        "memory_bytes": 256 << 20, "address_space_bytes": 4 << 30, "spill_bytes": 1 << 28, "file_bytes": 1 << 28,
        "threads": 1,
    }  # fmt: skip
    return Worker("sql", config, scratch=folder / "scratch")


def run_request(statement: str) -> dict[str, object]:
    return {
        "op": "run", "foreseen": [], "statement": statement, "params": None, "max_chars": 10_000, "max_columns": 100, "result_id": "r",
        "stored_bytes": 1 << 20, "max_rows": 10, "max_chars_out": 8_000, "cell_chars": 100,
    }  # fmt: skip


ENDLESS = run_request("SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b")


def test_a_confined_process_reaches_only_its_folders_and_no_network(tmp_path: Path) -> None:
    readable, writable, secret = tmp_path / "data", tmp_path / "scratch", tmp_path / "secret.txt"
    readable.mkdir()
    writable.mkdir()
    (readable / "in.txt").write_text("x")
    secret.write_text("canary")
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        arguments = [str(readable), str(writable), str(secret), str(listener.getsockname()[1])]
        done = subprocess.run([sys.executable, "-c", CONFINED, *arguments], capture_output=True, text=True, check=True)
    version, alone, read, overwrite, outside, new, connect = done.stdout.split()
    assert (read, new) == ("yes", "yes")
    if int(version):
        assert (overwrite, outside) == ("no", "no")
    if int(version) >= 4 or int(alone):
        assert connect == "no"
    if not sys.platform.startswith("linux"):
        assert (version, alone) == ("0", "0")


def test_limits_are_set_and_a_lower_one_stays() -> None:
    code = (
        "import resource; from mcp_lakehouse.worker import confine;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500));"
        "confine.limit_resources(address_space_bytes=1 << 40, file_bytes=1000);"
        "print(resource.getrlimit(resource.RLIMIT_FSIZE)[0], resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["500", "0"]
    assert str(Path(confine.__file__).parent.parent) in confine.python_folders()


def test_a_worker_answers_and_its_scratch_folder_goes_with_it(tmp_path: Path) -> None:
    worker = sql_worker(tmp_path)
    assert "confined" in worker.call({"op": "hello"}, timeout_seconds=20)
    assert (tmp_path / "scratch").is_dir()
    worker.close()
    assert not (tmp_path / "scratch").exists()
    assert not psutil.pid_exists(worker.pid)


def test_cancel_and_time_limit_kill_the_process(tmp_path: Path) -> None:
    worker = sql_worker(tmp_path)
    token = CancelToken()
    threading.Timer(0.5, token.cancel).start()
    with pytest.raises(Cancelled):
        worker.call(ENDLESS, timeout_seconds=30, cancel=token)
    assert not worker.alive
    worker.close()
    worker = sql_worker(tmp_path)
    worker.call({"op": "hello"}, timeout_seconds=20)
    with pytest.raises(LimitExceeded):
        worker.call(ENDLESS, timeout_seconds=0.2)
    assert not worker.alive
    worker.close()


def test_a_caller_works_in_steps_until_the_answer_is_there(tmp_path: Path) -> None:
    worker = sql_worker(tmp_path)
    done: list[int] = []
    endless = (done.append(number) for number in itertools.count())
    try:
        answer = worker.call(run_request("SELECT 41 + 1 AS x"), timeout_seconds=30, meanwhile=endless)
        assert answer["rows"] == [[42]]
        assert done
        few = worker.call(run_request("SELECT 1 AS x"), timeout_seconds=30, meanwhile=iter([1, 2]))
        assert few["rows"] == [[1]]
        token = CancelToken()
        cancelling = (token.cancel() for _ in range(3))
        with pytest.raises(Cancelled):
            worker.call(ENDLESS, timeout_seconds=30, cancel=token, meanwhile=cancelling)
        assert next(cancelling, "over") is None
    finally:
        worker.close()


def test_a_worker_that_dies_is_an_error_with_its_cause(tmp_path: Path) -> None:
    worker = sql_worker(tmp_path)
    worker.call({"op": "hello"}, timeout_seconds=20)
    threading.Timer(0.2, os.kill, (worker.pid, signal.SIGSEGV)).start()
    with pytest.raises(WorkerDied, match="SIGSEGV"):
        worker.call(ENDLESS, timeout_seconds=30)
    worker.close()


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]; from pathlib import Path; from worker.test_processes import *;"
        "w = sql_worker(Path(sys.argv[1])); w.call({'op': 'hello'}, timeout_seconds=20); print(w.pid, flush=True);"
        "w.call(ENDLESS, timeout_seconds=60)"
    )
    tests = str(Path(__file__).resolve().parent.parent)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), tests], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the worker still runs"
        threading.Event().wait(0.02)


def test_a_pool_keeps_one_warm_and_refuses_when_all_are_busy(tmp_path: Path) -> None:
    made: list[Worker] = []

    def start() -> Worker:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(sql_worker(folder))
        return made[-1]

    pool = Pool(start, size=2, what="sql", spare_after_seconds=0)
    with pool.lend(timeout_seconds=5) as first:
        deadline = time.monotonic() + 10
        while len(made) < 2:
            assert time.monotonic() < deadline, "no spare was started beside a long call"
            threading.Event().wait(0.01)
        with pool.lend(timeout_seconds=5) as second:
            assert second is not first
            with pytest.raises(LimitExceeded, match="all 2 workers"), pool.lend(timeout_seconds=0.05):
                pass
            token = CancelToken()
            token.cancel()
            with pytest.raises(Cancelled), pool.lend(timeout_seconds=5, cancel=token):
                pass
    with pool.lend(timeout_seconds=5) as again:
        assert again in (first, second)
        again.kill()
    with pool.lend(timeout_seconds=20) as fresh:
        assert "confined" in fresh.call({"op": "hello"}, timeout_seconds=20)
    pool.close()
    assert not any(worker.alive for worker in made)


def test_a_closed_channel_says_so() -> None:
    ours, theirs = socket.socketpair()
    left, right = Channel(ours), Channel(theirs)
    left.send({"text": "ü" * 100_000})
    assert right.receive() == {"text": "ü" * 100_000}
    assert right.receive(0) is None
    left.close()
    with pytest.raises(ChannelClosed):
        right.receive()
    right.close()


def pool_of(tmp_path: Path) -> Pool:
    """Of workers that read `data`."""
    numbers = itertools.count()
    (tmp_path / "data").mkdir()

    def start() -> Worker:
        folder = tmp_path / f"scratch-{next(numbers)}"
        folder.mkdir()
        return sql_worker(folder, tmp_path / "data")

    return Pool(start, size=1, what="sql")


def test_a_folder_in_the_place_of_another_gets_a_worker_of_its_own(tmp_path: Path) -> None:
    data, held = tmp_path / "data", tmp_path / "held"
    pool = pool_of(tmp_path)
    with pool.lend(timeout_seconds=5) as first:
        pass
    with pool.lend(timeout_seconds=5) as same:
        assert same is first
    # As when a disk is taken away and mounted again: the confined worker may not read what lies there now.
    data.rename(held)
    data.mkdir()
    with pool.lend(timeout_seconds=5) as other:
        assert other is not first
    assert not first.alive
    pool.close()


def test_a_folder_that_is_away_while_a_worker_gets_ready_is_readable_when_it_is_back(tmp_path: Path) -> None:
    data, held = tmp_path / "data", tmp_path / "held"
    pool = pool_of(tmp_path)
    table = pa.table({"n": [1, 2]})
    with pa.OSFile(str(data / "rows.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    pool.warm()
    data.rename(held)
    data.mkdir()
    with contextlib.closing(pool):
        (worker,) = pool._idle
        # By now it has given up all but what it may read.
        worker.call({"op": "hello"}, timeout_seconds=20)
        data.rmdir()
        held.rename(data)
        page = run_request("") | {
            "op": "page", "stored": {"file": str(data / "rows.arrow")}, "columns": [["n", "BIGINT"]], "batches": [2], "offset": 0,
        }  # fmt: skip
        with pool.lend(timeout_seconds=20) as lent:
            assert lent is worker
            assert lent.call(page, timeout_seconds=20)["rows"] == [[1], [2]]
