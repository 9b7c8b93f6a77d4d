"""Checks of an open lake: its bucket, its tables, its SQL worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mcp_lakehouse.commands.checks import Check
from mcp_lakehouse.commands.soundness import examine_all
from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.lakehouse import Lakehouse

# Landlock restricts TCP too from this version on.
_LANDLOCK_TCP = 4


def lake_checks(lake: Lakehouse) -> Iterator[Check]:
    """Everything that needs the lake open. Writes one probe object, unless the lake is read-only."""
    if lake.read_only:
        yield Check("lake writes", "ok", "not tried: read_only is set")
    else:
        yield _tried("lake writes", lake.bucket.probe, "possible, and of two first writers one is refused")
    yield from _rescue(lake)
    yield from _tables(lake)
    yield from _worker(lake)


def _tried(name: str, work: Callable[[], object], fine: str) -> Check:
    try:
        work()
    except LakehouseError as error:
        return Check(name, "fail", error.message, error.hint)
    return Check(name, "ok", fine)


def _rescue(lake: Lakehouse) -> Iterator[Check]:
    if lake.rescue.bucket is None:
        return
    yield _tried("rescue bucket", lake.rescue.bucket.probe, f"{lake.rescue.bucket.url} takes writes")
    try:
        ids = lake.rescue.waiting()
    except LakehouseError:
        # Said already.
        return
    if ids:
        yield Check("rescued writes", "warn", f"{len(ids):,} wait, the oldest is {ids[0]}", "mcp-lakehouse replay")


def _tables(lake: Lakehouse) -> Iterator[Check]:
    """One line for each table that is not whole, and one for all that are."""
    whole, broken = 0, 0
    for finding in examine_all(lake):
        problem = finding.problem or (None if finding.dropped else _unreadable(lake, finding.name))
        if problem is None:
            whole += 1
            continue
        broken += 1
        hint = (
            f"bring the file back from a copy, or go back to a version without it: mcp-lakehouse sql "
            f"\"FROM system.versions WHERE dataset = '{finding.name}'\", then mcp-lakehouse restore {finding.name} "
            f"--version N"
        )
        yield Check(f"table {finding.name}", "fail", problem, hint)
    yield Check("tables", "ok", f"{whole} whole" + (f", {broken} not" if broken else ""))


def _unreadable(lake: Lakehouse, name: str) -> str | None:
    table = name if name.startswith("system.") else '"' + name.replace('"', '""') + '"'
    try:
        lake.sql(f"FROM {table} LIMIT 1")
    except LakehouseError as error:
        return error.message
    return None


def _worker(lake: Lakehouse) -> Iterator[Check]:
    try:
        confined = lake.confinement()
    except LakehouseError as error:
        yield Check("sql worker", "fail", error.message, error.hint)
        return
    yield Check("sql worker", "ok", "starts and is locked: read-only, no outside access, memory and time limited")
    yield confinement_check(int(confined["landlock"]), bool(confined["network_namespace"]))


def confinement_check(landlock: int, network_namespace: bool) -> Check:
    """What the kernel adds to the engine's own lock. `landlock` is its version, 0 for none."""
    files = f"files by Landlock {landlock}" if landlock else None
    network = network_namespace or landlock >= _LANDLOCK_TCP
    held = [each for each in (files, "no network" if network else None) if each]
    if landlock and network:
        return Check("confinement", "ok", f"the kernel holds it too: {', '.join(held)}")
    lacking = [each for each, there in (("files", landlock), ("the network", network)) if not there]
    return Check(
        "confinement",
        "warn",
        f"the kernel does not keep the SQL worker from {' and '.join(lacking)}"
        + (f" ({', '.join(held)} holds)" if held else ""),
        "the engine's own lock and the statement guard still hold; for the second wall use Linux 6.7 or newer "
        "(5.13 for files alone), and allow Landlock where a container's seccomp profile blocks it",
    )
