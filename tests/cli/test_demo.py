"""The demo: the whole line, from a file to an answer, through a real client."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from cli.conftest import SECONDS, Cli
from mcp_lakehouse.demo import demo
from mcp_lakehouse.errors import LakehouseError


def test_the_demo_shows_a_whole_session_and_leaves_a_lake_to_try(cli: Cli) -> None:
    done = cli("demo", "--rows", "300", "--lake", "my lake")

    for shown in ("3 rejected", "unchanged", "AT (VERSION => 0)", "result('lakehouse://", "hint: ", "v1: "):
        assert shown in done.stdout
    assert "All answers were as expected" in done.stdout
    # What it tells people to try works, and the configuration can be pasted.
    tries = [line for line in done.stdout.splitlines() if line.startswith("  /")]
    assert len(tries) == 3
    for line in tries:
        subprocess.run(shlex.split(line), cwd=cli.home, env=cli.variables(), check=True, timeout=SECONDS)
    entry = json.loads("{" + done.stdout.rpartition("\n{")[2])["mcpServers"]["lakehouse"]
    assert entry["args"][:3] == ["serve", "--lake", str(cli.folder / "my lake")]


def test_the_sample_is_the_same_every_time(cli: Cli) -> None:
    def said(lake: str) -> str:
        # Timings and handles differ, nothing else does.
        text = cli("demo", "--rows", "300", "--lake", lake).stdout.split("\n── 1.")[1].split("\nAll answers")[0]
        return re.sub(r"[\d.]+ ms|[0-9a-f]{16,32}", "", text)

    assert said("a") == said("b")


def test_a_folder_with_something_in_it_is_left_alone(workers: Cli) -> None:
    assert "not empty" in workers("demo", "--lake", "lakehouse", expect=1).stderr
    assert "folder" in workers("demo", "--lake", "s3://bucket/x", expect=1).stderr


def test_a_server_that_does_not_start_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", shutil.which("false"))
    with pytest.raises(LakehouseError, match="the server broke the session off"):
        demo(argparse.Namespace(lake=str(tmp_path / "lake"), rows=1))
