"""A load that is killed or cancelled, wherever it is, leaves the last version whole and nothing in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from lake.places import Place, inline, put, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, WorkerDied
from mcp_lakehouse.store import Bucket
from mcp_lakehouse.worker.channel import Channel, Message
from mcp_lakehouse.worker.process import Worker
from tests.mcp.processes import workers

# Long enough for a busy machine; the processes end within milliseconds.
ENDED_SECONDS = 20


def scratch(prepared: Place) -> list[Path]:
    return list((Path(prepared.address) / "_cache" / "scratch").iterdir())


@pytest.mark.parametrize("where", ["reading", "recording", "recorded"])
def test_a_killed_load_leaves_whole_versions_and_is_repeated_without_harm(prepared: Place, where: str) -> None:
    source = prepared.put("more.csv", "a,b\n" + "".join(f"{i},text {i}\n" for i in range(2, 1000)))
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("halting_process.py")), prepared.address, str(source), where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "halted\n"
    deadline = time.monotonic() + ENDED_SECONDS
    # It is forked by another process, meanwhile.
    while not (working := workers(process.pid)):
        assert time.monotonic() < deadline, "no worker came"
        threading.Event().wait(0.01)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    # Workers end with their parent, also when it had no time to tell them.
    assert psutil.wait_procs(working, timeout=ENDED_SECONDS)[1] == []
    assert len(scratch(prepared)) == 1
    with prepared.open() as lake:
        assert [folder.name for folder in scratch(prepared)] == [lake._scratch.name]
        arrived = where == "recorded"
        assert rows(lake, "SELECT count(*) FROM t") == [[999 if arrived else 1]]
        report = lake.ingest(source, dataset="t")
        assert (report.version, report.rows_added, report.unchanged) == (1, 0 if arrived else 998, arrived)
        assert rows(lake, "SELECT count(*), count(DISTINCT a) FROM t") == [[999, 999]]
        assert rows(lake, "FROM t AT (VERSION => 0)") == [[1, "x"]]


def files_of(lake: Lakehouse, dataset: str) -> int:
    return len([info for info in lake.bucket.list(f"tables/{dataset}") if info.key.endswith(".parquet")])


def test_a_load_that_is_cancelled_while_it_is_read_leaves_the_last_version(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.ingest(inline("cancelled", "a,b\n1,x\n"))
    token, send = CancelToken(), Channel.send

    def send_and_cancel(channel: Channel, message: Message) -> None:
        send(channel, message)
        if message.get("op") == "load":
            token.cancel()

    with monkeypatch.context() as patch:
        patch.setattr(Channel, "send", send_and_cancel)
        with pytest.raises(Cancelled):
            lake.ingest(inline("cancelled", "a,b\n2,y\n"), cancel=token)
    assert rows(lake, "FROM cancelled") == [[1, "x"]]
    assert files_of(lake, "cancelled") == 1
    assert lake.ingest(inline("cancelled", "a,b\n2,y\n")).rows_added == 1
    # A caller who changes their mind is no failure.
    assert rows(lake, "SELECT count(*) FROM system.errors WHERE code = 'cancelled'") == [[0]]


def test_a_load_that_is_cancelled_while_it_is_checked_never_reaches_a_worker(lake: Lakehouse) -> None:
    token = CancelToken()
    source = put(lake, "checked.csv", "a,b\n2,y\n")
    with pytest.raises(Cancelled):
        lake.ingest(source, progress=lambda *_: token.cancel(), cancel=token)
    assert lake.list_datasets(match="checked").datasets == []


def test_a_cancellation_that_comes_too_late_does_not_hide_the_commit(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(lake.bucket)
    token, upload = CancelToken(), kind.upload

    def upload_and_cancel(bucket: Bucket, local: Path, key: str) -> None:
        token.cancel()
        upload(bucket, local, key)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "upload", upload_and_cancel)
        report = lake.ingest(inline("late", "a,b\n2,y\n"), cancel=token)
    assert (report.version, report.rows_added) == (0, 1)
    assert rows(lake, "FROM late") == [[2, "y"]]


@pytest.mark.parametrize("call", ["load", "run"])
def test_a_worker_that_is_killed_costs_one_call(lake: Lakehouse, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    name = f"killed_{call}"
    lake.ingest(inline(name, "a,b\n1,x\n"))
    ask, receive = Worker.call, Channel.receive

    def ask_and_kill(worker: Worker, request: Message, **options: Any) -> Message:
        def kill_and_receive(channel: Channel, timeout_seconds: float | None = None) -> Message | None:
            os.kill(worker.pid, signal.SIGKILL)
            return receive(channel, timeout_seconds)

        if request["op"] == call:
            patch.setattr(Channel, "receive", kill_and_receive)
        return ask(worker, request, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "call", ask_and_kill)
        with pytest.raises(WorkerDied, match="SIGKILL") as caught:
            lake.ingest(inline(name, "a,b\n2,y\n")) if call == "load" else lake.sql(f"FROM {name}")
    assert "memory" in (caught.value.hint or "")
    assert rows(lake, f"FROM {name}") == [[1, "x"]]
    assert lake.ingest(inline(name, "a,b\n2,y\n")).rows_added == 1


def test_nothing_of_a_load_stays_in_scratch_while_the_lake_stays_open(lake: Lakehouse) -> None:
    lake.ingest(inline("traces", "a,b\n1,z\n2,y\n"), mode="upsert", key="a")
    lake.ingest(inline("traces", "a,b\n1,x\n2,y\n,none\n3,c\n"), mode="upsert")
    lake.compact("traces")
    assert rows(lake, "FROM traces ORDER BY a") == [[1, "x"], [2, "y"], [3, "c"]]
    # Its record is written behind it.
    lake.journal.flush()
    left = [path for path in lake._scratch.rglob("*") if path.is_file() and path.name != ".lock"]
    assert left == []


def test_scratch_whose_removal_was_broken_off_is_swept(prepared: Place) -> None:
    left = Path(prepared.address) / "_cache" / "scratch" / "0123456789abcdef"
    (left / "load-1").mkdir(parents=True)
    (left / "load-1" / "part.parquet").write_bytes(b"x")
    with prepared.open() as lake:
        assert not left.exists()
        # The scratch of a process that lives is left alone.
        with prepared.open():
            assert lake._scratch.exists()
