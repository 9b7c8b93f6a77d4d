"""A process that works on a lake, to be killed at one of its writes, or that looks what became of it.

`make` · `work CASE STEP` (kills itself before the write of that number; with 0 it goes through and prints how many
there were) · `look` · `mend CASE` (looks, does the work again, looks again). What was seen is printed as JSON.

Writes are every rename, link, removal, new folder and opening for writing below the lake's folder or cache, told by
the interpreter's own audit events, and before and after every write, upload and delete of a remote bucket.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.commands.soundness import examine_all
from mcp_lakehouse.store.objects import ObjectBucket
from tests.proofs.crash_cases import CASES, make, serving

_CHANGES = frozenset({"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_FIRST_GENERATION = 3


class Steps:
    """Counts the writes once it is `counting`, and kills the process before the fatal one."""

    def __init__(self, fatal: int) -> None:
        self.fatal = fatal
        self.count = 0
        self.counting = False
        self._below = (os.environ["LAKEHOUSE_LAKE"], os.environ["LAKEHOUSE_CACHE"])

    def step(self) -> None:
        """A write is about to be, or has just been."""
        if self.counting:
            self.count += 1
            if self.count == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The interpreter's hook."""
        if not self.counting:
            return
        writes = event in _CHANGES or (event == "open" and bool(arguments[2] & _WRITING))
        if writes and isinstance(arguments[0], (str, os.PathLike)):
            path = os.fspath(arguments[0])
            if isinstance(path, str) and path.startswith(self._below):
                self.step()


def hook(steps: Steps) -> None:
    """Count from now on, wherever bytes are changed."""
    sys.addaudithook(steps.audit)
    for name in ("write", "upload", "delete"):
        setattr(ObjectBucket, name, _around(getattr(ObjectBucket, name), steps))


def _around(method: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    def stepping(*arguments: Any, **options: Any) -> Any:
        steps.step()
        try:
            return method(*arguments, **options)
        finally:
            steps.step()

    return stepping


def work(case: str, fatal: int) -> int:
    """Do the work of a case, and return the number of writes it took."""
    steps = Steps(fatal)
    hook(steps)
    with Lakehouse.open() as lake:
        steps.counting = True
        CASES[case].work(lake, files())
    return steps.count


def look(lake: Lakehouse) -> dict[str, Any]:
    """What a reader sees. Raises where anything of it is not whole."""
    problems = [f"{found.name}: {found.problem}" for found in examine_all(lake) if found.problem]
    assert not problems, problems
    names = [each.name for each in lake.list_datasets().datasets]
    seen: dict[str, Any] = {"datasets": names, "processes": len(list(lake._scratch.parent.iterdir()))}
    for name in names:
        dataset = lake.catalog.get(name)
        newest = dataset.snapshot.version
        there = [number for number in range(newest + 1) if dataset.table.retirement(number) is None]
        sums = "count(*), sum(id), sum(amount), count(DISTINCT id), count(*) FILTER (note LIKE '%pangolin%')"
        each = (f"SELECT {number}, {sums} FROM {name} AT (VERSION => {number})" for number in there)
        *versions, now = lake.sql(f"{' UNION ALL '.join(each)} UNION ALL SELECT 99, {sums} FROM {name} ORDER BY 1").rows
        row = seen[name] = now[1:]
        told = {version[0]: version[1:] for version in versions}
        # Of a version that can be read no more there is nothing.
        seen[f"{name} versions"] = [told.get(number) for number in range(newest + 1)]
        found = lake.search("pangolin", datasets=name, k=1).results
        # Found by what it says, or nothing that says so is there.
        assert bool(row[-1]) == ("pangolin" in found[0].text), (row, found)
        seen[f"{name} animals"] = sorted({hit.text for hit in lake.search("animal", datasets=name, k=50).results})
    if "t" in names:
        number = serving(lake)
        seen["generation"] = (
            "newer" if number > _FIRST_GENERATION else "older" if number < _FIRST_GENERATION else "same"
        )
    return seen


def mend(case: str) -> list[dict[str, Any]]:
    """Look, do the work (again), look."""
    with Lakehouse.open() as lake:
        found = look(lake)
        if not CASES[case].settled(lake):
            CASES[case].work(lake, files())
        return [found, look(lake)]


def files() -> Path:
    """Where the sources are."""
    return Path(os.environ["LAKEHOUSE_ALLOW"])


def main(what: str, *arguments: str) -> object:
    """Run one of the commands."""
    if what == "work":
        return work(arguments[0], int(arguments[1]))
    if what == "mend":
        return mend(arguments[0])
    with Lakehouse.open() as lake:
        if what == "make":
            make(lake, files())
        return look(lake)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
