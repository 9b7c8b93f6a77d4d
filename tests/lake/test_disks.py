"""A disk that is full, or may not be written to: said by name, nothing half-written, and all well afterwards."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@functools.cache
def namespace() -> tuple[str, ...]:
    """The command that gives a process mounts of its own; a user who is not root needs a user namespace for it."""
    command = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--mount", "--map-root-user")
    try:
        done = subprocess.run([*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True)
    except FileNotFoundError:
        return ()
    return command if done.returncode == 0 else ()


def on_a_disk(what: str, folder: Path) -> dict[str, Any]:
    """What `disk_process.py` found."""
    if not namespace():
        # The kernel, a container's seccomp profile or another system than Linux; the stores' own tests limit the
        # size of files instead, which goes everywhere.
        pytest.skip("no disk of a chosen size can be mounted here")
    (folder / "files").mkdir()
    script = Path(__file__).with_name("disk_process.py")
    done = subprocess.run(
        [*namespace(), sys.executable, str(script), what, str(folder)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_full_disk_is_named_and_costs_nothing_but_the_call(tmp_path: Path) -> None:
    found = on_a_disk("full", tmp_path)
    failures = ("while reading", "inline", "large result", "drop", "no room for the data", "no room for the record")
    for step in failures:
        told = found[step]
        assert told.get("code") == "storage_failed", (step, told)
        assert "No space left on device" in told["message"], (step, told)
        assert found["disk"] in told["message"], (step, told)
        assert "free space" in told["hint"], (step, told)
    assert ".parquet" in found["no room for the data"]["message"]
    assert "_delta_log/00000000000000000001.json" in found["no room for the record"]["message"]
    # What a load that failed had staged is gone at once, and reading goes on.
    assert found["room after reading"] > 5 << 20
    assert found["query"] == {"value": [["x"]]}
    assert found["describe"] == {"value": 1}
    assert found["data files"] == 1
    assert found["again"] == {"value": 1}
    assert found["rows"] == [["x"], ["y"]]
    # Errors wait in memory until there is room for them; those of the process before had to be let go.
    assert found["journal while full"] is False
    assert found["journal"] == [["ingest", "storage_failed"], ["ingest", "storage_failed"]]
    for step in ("rescued inline", "rescued file"):
        assert "replay_rescued finishes it" in found[step]["hint"], (step, found[step])
    assert found["replayed"] == [2, 3]
    assert found["rows after"] == [["x"], ["y"], ["z"], ["zz"]]


def test_a_folder_that_is_read_only_can_be_read_and_says_so_when_written_to(tmp_path: Path) -> None:
    found = on_a_disk("read_only", tmp_path)
    assert found["cache"].startswith(str(tmp_path / "cache"))
    assert found["query"] == found["query after"] == {"value": [[0], [1]]}
    assert found["large result"] == {"value": 1_000_000}
    assert found["list"] == {"value": ["t"]}
    assert found["describe"] == {"value": 2}
    assert found["journal"] == {"value": [[0]]}
    for step, told in found["writes"].items():
        assert told.get("code") == "storage_failed", (step, told)
        assert "Read-only file system" in told["message"], (step, told)
        assert "--read-only" in told["hint"], (step, told)
    told = found["no place for a cache"]
    assert told["code"] == "storage_failed"
    assert "LAKEHOUSE_CACHE" in told["hint"]
