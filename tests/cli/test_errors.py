"""What goes wrong is told in one shape, with the right status, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from cli.conftest import COMMAND, SECONDS, Cli


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sql"],
        ["sqll", "SELECT 1"],
        ["serve", "--http", "localhost:99999"],
        ["serve", "--http", "localhost:http"],
        ["serve", "--flight"],
        ["serve", "--http", "--flight", "localhost:flight"],
        ["sql", "SELECT 1", "--params", "{"],
        ["sql", "SELECT 1", "--params", "3"],
        ["sql", "SELECT 1", "--param", "noequals"],
        ["sql", "SELECT 1", "--max-rows", "0"],
        ["sql", "SELECT 1", "--max-rows", "-3"],
        ["ingest", "x.csv", "--mode", "merge"],
        ["ingest", "x.csv", "--key", "a,,b"],
        ["drop", "x"],
        ["restore", "x", "--version", "-1"],
        ["completion", "fish"],
        ["install", "emacs"],
        ["demo", "--rows", "none"],
        ["datasets", "--no-such-option"],
    ],
    ids=" ".join,
)
def test_wrong_use_ends_with_status_2_and_a_hint(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments, expect=2)
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("hint: mcp-lakehouse")
    assert not any(cli.folder.iterdir())


def test_a_slip_names_what_was_meant(cli: Cli) -> None:
    assert "did you mean datasets?" in cli("dataset", expect=2).stderr
    assert "bash, zsh, tcsh" in cli("completion", "fish", expect=2).stderr


@pytest.mark.parametrize(
    "arguments",
    [["sql", "SELECT 1"], ["datasets"], ["describe", "x"], ["rebuild"], ["compact", "x"]],
    ids=" ".join,
)
def test_a_lake_that_is_not_there_is_not_made_by_reading(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments, "--lake", "typo", expect=1)
    assert "there is no lake at" in done.stderr
    assert "hint: mcp-lakehouse ingest FILE makes one" in done.stderr
    assert not (cli.folder / "typo").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sql", "SELEC 1"], "syntax error"),
        (["sql", "DELETE FROM workers"], "read"),
        (["sql", "SELECT nam FROM workers"], "name"),
        (["sql", "FROM worker"], "workers"),
        (["describe", "wrokers"], "workers"),
        (["ingest", "missing.csv"], "missing.csv"),
        (["ingest", "workers.csv", "--dataset", "not a name"], "not_a_name"),
        (["ingest", "workers.csv", "--name", "x.csv"], "--name"),
        (["ingest", "-", "--name", "../x.csv"], "--name"),
        (["ingest", "s3://elsewhere/x.csv"], "not supported"),
        (["restore", "workers", "--version", "7"], "7"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_failure_ends_with_status_1_says_why_and_prints_no_data(
    workers: Cli, arguments: list[str], told: str
) -> None:
    done = workers(*arguments, expect=1)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "hint: " in done.stderr
    assert told in done.stderr


def test_empty_and_unreadable_files_are_told_and_make_no_dataset(cli: Cli) -> None:
    (cli.folder / "empty.csv").touch()
    (cli.folder / "torn.parquet").write_bytes(b"PAR1 not really")
    os.mkfifo(cli.folder / "pipe.csv")
    for name in ("empty.csv", "torn.parquet", "pipe.csv"):
        assert name in cli("ingest", name, expect=1).stderr
    assert cli.json("datasets")["datasets"] == []


def test_settings_that_make_no_sense_name_their_source(cli: Cli) -> None:
    done = cli("sql", "SELECT 1", environment={"LAKEHOUSE_SQL_TIMEOUT": "soon"}, expect=1)
    assert "environment LAKEHOUSE_SQL_TIMEOUT" in done.stderr
    done = cli("sql", "SELECT 1", environment={"LAKEHOUSE_TRACE": "pigeon"}, expect=1)
    assert "pigeon" in done.stderr


def test_a_read_only_lake_refuses_changes(workers: Cli) -> None:
    done = workers("drop", "workers", "--confirm", "workers", expect=1, environment={"LAKEHOUSE_READ_ONLY": "true"})
    assert "read-only" in done.stderr
    assert len(workers.json("datasets")["datasets"]) == 1


def test_whoever_reads_may_stop_early(workers: Cli) -> None:
    statement = "SELECT repeat('x', 200) FROM range(1000)"
    script = f'"{COMMAND}" sql "{statement}" --max-rows 1000 | head -n 3; exit ${{PIPESTATUS[0]}}'
    done = workers.shell(script)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
    assert "Broken" not in done.stderr
    assert "error" not in done.stderr


@contextmanager
def started(cli: Cli, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [COMMAND, *arguments],
        cwd=cli.folder,
        env=cli.variables(),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def interrupted(running: subprocess.Popen[str], when: Callable[[], bool]) -> str:
    """Interrupt it as the keyboard does once `when` holds; returns what it said."""
    deadline = time.monotonic() + SECONDS
    while not when():
        assert running.poll() is None
        assert time.monotonic() < deadline
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=SECONDS)
    assert running.returncode == 130
    assert "Traceback" not in told
    return told


def test_an_interrupted_load_changes_nothing_and_says_so(cli: Cli) -> None:
    (cli.folder / "n.csv").write_text("n\n" + "1\n" * 2_000_000, encoding="utf-8")
    scratch = cli.folder / "lakehouse" / "_cache" / "scratch"
    with started(cli, "ingest", "n.csv") as running:
        told = interrupted(running, lambda: any(scratch.glob("[0-9a-f]*/load-*")))
    assert "hint: nothing was changed" in told
    assert cli.json("datasets")["datasets"] == []


def test_waiting_for_standard_input_can_be_interrupted(cli: Cli) -> None:
    with started(cli, "ingest", "-", "--name", "x.csv") as running:
        told = interrupted(running, lambda: any(cli.home.glob("mcp-lakehouse-*/x.csv")))
    assert "error: interrupted" in told
    assert not any(cli.home.iterdir())
