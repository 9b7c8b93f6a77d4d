"""The demo: the whole line, from a file to an answer, through a real client."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from cli.conftest import SECONDS, Cli, Shown
from mcp_lakehouse.commands.sample import make_sample
from mcp_lakehouse.demo import demo
from mcp_lakehouse.errors import LakehouseError


def test_the_demo_shows_a_whole_session_and_leaves_a_lake_to_try(shown_demo: Shown) -> None:
    told = (
        "3 rejected",
        "unchanged",
        "AT (VERSION => 0)",
        "result('lakehouse://",
        "hint: ",
        "v1: ",
        "→ search",
        "→ ask",
    )
    for shown in told:
        assert shown in shown_demo.text
    assert "All answers were as expected" in shown_demo.text
    # What it tells people to try works, and the configuration can be pasted.
    tries = [line for line in shown_demo.text.splitlines() if line.startswith("  /")]
    assert len(tries) == 4
    for line in tries:
        subprocess.run(shlex.split(line), cwd=shown_demo.lake.parent, check=True, timeout=SECONDS, capture_output=True)
    entry = json.loads("{" + shown_demo.text.rpartition("\n{")[2])["mcpServers"]["lakehouse"]
    assert entry["args"][:3] == ["serve", "--lake", str(shown_demo.lake)]


def test_the_sample_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_sample(tmp_path / name, 300)
    contents = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b")]
    assert len(contents[0]) == 5
    assert contents[0] == contents[1]


def test_a_folder_with_something_in_it_is_left_alone(workers: Cli) -> None:
    assert "not empty" in workers("demo", "--lake", "lakehouse", expect=1).stderr
    assert "folder" in workers("demo", "--lake", "s3://bucket/x", expect=1).stderr


def test_a_server_that_does_not_start_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", shutil.which("false"))
    with pytest.raises(LakehouseError, match="the server broke the session off"):
        demo(argparse.Namespace(lake=str(tmp_path / "lake"), rows=1))
