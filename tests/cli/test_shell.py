"""Completion scripts, versions, and how fast the command answers."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from cli.conftest import Cli
from mcp_lakehouse import __version__


def test_the_bash_script_parses_and_completes_commands(cli: Cli) -> None:
    script = cli("completion", "bash").stdout
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=20)
    ask = f"{script}\nCOMP_WORDS=(mcp-lakehouse de) COMP_CWORD=1; _shtab_mcp_lakehouse; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=20, check=True)
    assert set(done.stdout.split()) == {"demo", "describe"}


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_a_script_that_names_every_command(cli: Cli, shell: str) -> None:
    script = cli("completion", shell).stdout
    for command in ("serve", "ingest", "describe", "rebuild", "doctor"):
        assert command in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True, timeout=20)


def test_the_version_is_told(cli: Cli) -> None:
    assert cli("--version").stdout == f"mcp-lakehouse {__version__}\n"


def test_every_command_has_help_of_its_own(cli: Cli) -> None:
    listed = cli("--help").stdout.split("COMMAND\n")[1].split("\n\n")[0]
    commands = [line.split()[0] for line in listed.splitlines() if line.startswith("    ") and line[4] != " "]
    assert len(commands) >= 14
    for command in commands:
        shown = cli(command, "--help").stdout
        assert f"usage: mcp-lakehouse {command}" in shown
        assert "--lake" in shown


def test_the_module_is_the_command(cli: Cli) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mcp_lakehouse", "--version"], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == cli("--version").stdout
