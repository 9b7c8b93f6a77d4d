"""Progress of a load: a bar on a terminal, a line every few seconds elsewhere; on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from mcp_lakehouse.commands.console import printable, say

Progress = Callable[[float, float, str], None]

_LINE_SECONDS = 3.0


@contextlib.contextmanager
def shown(title: str) -> Iterator[Progress]:
    """A callback (done, total or 0 where unknown, what is going on) that shows progress while inside."""
    if not sys.stderr.isatty():
        yield _lines(title)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None)

        def report(done: float, total: float, message: str) -> None:
            text = f"{title}: {printable(message)}" if message else title
            bars.update(task, completed=done, total=total or None, description=text)

        yield report


def _lines(title: str) -> Progress:
    last = time.monotonic()

    def report(done: float, total: float, message: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LINE_SECONDS:
            last = now
            part = f" {100 * done / total:.0f} %" if total else ""
            say(f"{title}: {printable(message)}{part}")

    return report
