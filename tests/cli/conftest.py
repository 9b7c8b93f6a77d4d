"""The command as people start it: its own process, a folder of its own, and none of this machine's settings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(sys.executable).with_name("mcp-lakehouse")
SECONDS = 60
WORKERS = """worker_id,name,rate,hired
1,Ada,31.50,2024-01-02
2,Ben,18.25,2024-03-04
3,Cleo,,2025-05-06
"""


@dataclass(frozen=True, slots=True)
class Cli:
    """Runs `mcp-lakehouse` in `folder`, with `home` as the user's home."""

    folder: Path
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """The whole environment of the command."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        return kept | {"HOME": str(self.home), "TMPDIR": str(self.home), **self.environment}

    def __call__(
        self, *arguments: str, expect: int = 0, text: str = "", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it; its exit status must be `expect`, and no traceback may be seen."""
        done = subprocess.run(
            [str(COMMAND), *arguments],
            cwd=self.folder,
            env=self.variables() | dict(environment or {}),
            input=text,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
        )
        shown = f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == expect, shown
        assert "Traceback" not in done.stdout + done.stderr, shown
        return done

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """A line of bash, with nothing on its standard input."""
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def json(self, *arguments: str, expect: int = 0, text: str = "") -> Any:
        """What it prints with `--json`, which must be one value and nothing else."""
        return json.loads(self(*arguments, "--json", expect=expect, text=text).stdout)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command in an empty folder."""
    folder, home = tmp_path / "here", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    return Cli(folder, home)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake that holds the dataset `workers`, made once."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "workers.csv").write_text(WORKERS, encoding="utf-8")
    Cli(folder, folder)("ingest", "workers.csv")
    return folder


@pytest.fixture
def workers(cli: Cli, prepared: Path) -> Cli:
    """The command in a folder whose lake holds the dataset `workers`, to be changed as one likes."""
    shutil.copytree(prepared, cli.folder, dirs_exist_ok=True)
    return cli


@dataclass(frozen=True, slots=True)
class Shown:
    """What one run of the demo printed, and the lake it left."""

    text: str
    lake: Path


@pytest.fixture(scope="session")
def shown_demo(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """The demo as the README shows it, run once."""
    folder = tmp_path_factory.mktemp("demo")
    return Shown(Cli(folder, folder)("demo", "--lake", "my lake").stdout, folder / "my lake")
