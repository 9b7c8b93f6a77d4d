"""The parts that talk to a person: tables, progress, interrupts; without a process."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable

import pytest

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.commands import progress, show
from mcp_lakehouse.commands.console import printable
from mcp_lakehouse.commands.running import interruptible
from mcp_lakehouse.errors import Cancelled, NotFound
from mcp_lakehouse.records import Column


def narrow(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Make stdout a terminal of that width."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_, **__: os.terminal_size((columns, 24)))
    monkeypatch.setenv("NO_COLOR", "1")


def test_a_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    narrow(monkeypatch, 40)
    show.table([Column("a", "VARCHAR"), Column("n", "BIGINT")], [["x" * 100, 12345], [None, 1]])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 40
    assert "…" in lines[3]
    assert lines[3].endswith("12345")
    assert "NULL" in lines[4]


def test_a_small_table_stays_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    narrow(monkeypatch, 40)
    show.table([Column("n", "BIGINT"), Column("a", "VARCHAR")], [[1, "x"]], types=False)
    assert capsys.readouterr().out.splitlines()[2].split() == ["1", "x"]


def test_too_many_columns_for_the_terminal_are_shown_one_under_the_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow(monkeypatch, 40)
    show.table([Column(f"column_{number}", "BIGINT") for number in range(9)], [list(range(9))])
    assert "column_8  8" in capsys.readouterr().out


def test_values_are_one_line_each() -> None:
    assert show.cell("a\nb") == "a\\nb"
    assert show.cell({"a": [1, None]}) == '{"a": [1, null]}'
    assert show.cell(True) == "true"
    assert printable("naïve 👩‍🚀\u00a0日本") == "naïve 👩‍🚀\u00a0日本"


def test_progress_elsewhere_than_on_a_terminal_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with progress.shown("ingest") as report:
        for done in range(10):
            now += 1
            report(done, 20, "reading")
        now += 10
        report(1, 0, "committing")
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "ingest: reading 10 %",
        "ingest: reading 25 %",
        "ingest: reading 40 %",
        "ingest: committing",
    ]


def test_progress_on_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.shown("ingest") as report:
        report(5, 10, "reading [weird] names")
        report(1, 0, "")
    assert capsys.readouterr().out == ""


def test_work_that_ends_gives_its_result_or_its_error() -> None:
    assert interruptible(lambda _: 3) == 3

    def fail(_: CancelToken) -> None:
        raise NotFound("gone")

    with pytest.raises(NotFound):
        interruptible(fail)


def _to_the_process() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def _to_the_working_thread() -> None:
    """As the system does at times; it ends no wait of the main thread, which must have begun by then."""
    time.sleep(0.2)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


def _interrupt_then(
    work: Callable[[], int], interrupt: Callable[[], None] = _to_the_process
) -> Callable[[CancelToken], int]:
    """Work that gets an interrupt from the keyboard, waits for its cancellation, and ends as `work` does."""

    def run(token: CancelToken) -> int:
        cancelled = threading.Event()
        with token.calling(cancelled.set):
            interrupt()
            assert cancelled.wait(20)
        return work()

    return run


@pytest.mark.parametrize("interrupt", [_to_the_process, _to_the_working_thread])
def test_an_interrupt_cancels_the_work(interrupt: Callable[[], None]) -> None:
    def stopped() -> int:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        interruptible(_interrupt_then(stopped, interrupt))


def test_work_that_was_done_when_the_interrupt_came_is_told_as_done() -> None:
    assert interruptible(_interrupt_then(lambda: 7)) == 7
