"""The loading worker: confined, tidy, talkative, and none the worse for a bad file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.harness import Loading
from mcp_lakehouse.errors import InvalidInput, LakehouseError
from mcp_lakehouse.worker.channel import Message


def load_request(path: Path, format_name: str = "csv") -> Message:
    entry = {"path": str(path), "name": path.name, "format": format_name, "sheet": None}
    return {"op": "load", "files": [entry], "columns": None}


def test_it_says_what_confines_it(loading: Loading) -> None:
    confined = loading.worker.call({"op": "hello"}, timeout_seconds=60)["confined"]
    assert set(confined) == {"landlock", "network_namespace"}


def test_it_reads_nothing_outside_what_it_was_given(loading: Loading, tmp_path: Path) -> None:
    if not loading.worker.call({"op": "hello"}, timeout_seconds=60)["confined"]["landlock"]:
        pytest.skip("this kernel has no Landlock; the allowed roots are then checked by the server alone")
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with pytest.raises(LakehouseError):
        loading.call(load_request(secret))


def test_it_writes_nothing_but_the_answer_names(loading: Loading) -> None:
    staging = loading.worker.scratch / "tidy"
    staging.mkdir()
    path = loading.text("t.csv", 'a,b\r\n1,"x\ny"\n2\n3,caf\xe9\r\n'.encode("latin-1"))
    answer = loading.worker.call({**load_request(path), "staging": str(staging)}, timeout_seconds=60)
    named = {Path(file["path"]).name for file in answer["files"]} | {Path(answer["rejects"]).name}
    assert {each.name for each in staging.iterdir()} == named


def test_a_failed_load_leaves_nothing_and_the_next_one_works(loading: Loading) -> None:
    worker = loading.worker
    staging = worker.scratch / "failed"
    staging.mkdir()
    path = loading.text("t.parquet", b"PAR1" + b"\0" * 100 + b"PAR1")
    with pytest.raises(LakehouseError):
        worker.call({**load_request(path, "parquet"), "staging": str(staging)}, timeout_seconds=60)
    assert list(staging.iterdir()) == []
    assert loading.load_text("t.csv", "a\n1\n").rows == [(1,)]
    assert loading.worker is worker


def test_it_does_several_loads_one_after_another(loading: Loading) -> None:
    path = loading.text("t.csv", "a,b\n1\n2,x\n")
    answers = [loading.load(path).answer for _ in range(3)]
    assert {answer["rejected"] for answer in answers} == {1}
    assert len({answer["files"][0]["path"] for answer in answers}) == 3


def test_long_loads_report_progress_that_grows(loading: Loading) -> None:
    path = loading.text("t.csv", b"a,b,c\n" + b"12345,some text here,1.5\n" * 3_000_000)
    loaded = loading.load(path)
    done = [event["done"] for event in loaded.events]
    assert done
    assert done == sorted(done)
    assert {event["total"] for event in loaded.events} == {path.stat().st_size}


def test_a_file_that_turned_into_a_pipe_is_refused_not_waited_for(loading: Loading) -> None:
    path = loading.text("t.csv", "a\n1\n")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InvalidInput, match="FIFO"):
        loading.call(load_request(path))


def test_an_unknown_request_is_refused(loading: Loading) -> None:
    with pytest.raises(InvalidInput, match="unknown operation"):
        loading.call({"op": "nonsense"})


def test_the_servers_half_imports_nothing_heavy() -> None:
    program = (
        "import sys, mcp_lakehouse.ingest.sources; "
        "print([name for name in ('duckdb', 'pyarrow', 'deltalake', 'pypdfium2', 'markdown_it') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
