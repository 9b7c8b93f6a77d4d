"""`doctor`: what is wrong with this installation or this lake, and how to mend it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mcp_lakehouse import __version__, install
from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.checks import Check, Status
from mcp_lakehouse.commands.console import colourful, printable, say
from mcp_lakehouse.commands.environment import installation
from mcp_lakehouse.commands.modelchecks import model_checks
from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.limits import GIB
from mcp_lakehouse.settings import Settings, unknown_variables

_LOW_DISK_BYTES = 2 * GIB
_COLOURS: dict[Status, str] = {"ok": "32", "warn": "33", "fail": "31"}


def doctor(args: argparse.Namespace, settings: Settings) -> int:
    """Check everything; 1 when something is broken."""
    checks = []
    for check in _all(settings):
        checks.append(check)
        if not args.json:
            _tell(check)
    failed = sum(check.status == "fail" for check in checks)
    if args.json:
        show.json_value({"version": __version__, "ok": not failed, "checks": checks})
    else:
        warned = sum(check.status == "warn" for check in checks)
        say(f"({len(checks)} checks: {failed} failed, {warned} warnings)")
    return 1 if failed else 0


def _all(settings: Settings) -> Iterator[Check]:
    yield from installation()
    yield from _variables()
    yield _tracing(settings)
    yield from model_checks(settings, os.environ)
    yield from _lake(settings)
    yield from _clients()


def _tell(check: Check) -> None:
    word = f"{check.status:4}"
    if colourful(sys.stdout):
        word = f"\x1b[{_COLOURS[check.status]}m{word}\x1b[0m"
    print(f"{word}  {check.name}: {printable(check.message)}", flush=True)
    if check.hint:
        print(f"      hint: {printable(check.hint)}", flush=True)


def _variables() -> Iterator[Check]:
    for variable, instead in unknown_variables().items():
        yield Check("settings", "warn", f"{variable} is set, and is no setting", instead)


def _tracing(settings: Settings) -> Check:
    from mcp_lakehouse import trace

    wanted = settings.text("trace")
    try:
        trace.configure(settings, version=__version__, sink=lambda _spans: None).close()
    except LakehouseError as error:
        return Check("tracing", "fail", error.message, error.hint)
    return Check("tracing", "ok", wanted)


def _clients() -> Iterator[Check]:
    for client in install.clients(home=Path.home(), here=Path.cwd()).values():
        if not client.path.exists():
            continue
        try:
            there = install.registered(client)
        except LakehouseError as error:
            yield Check(f"client {client.name}", "warn", error.message, error.hint)
            continue
        hint = None if there else f"mcp-lakehouse install {client.name}"
        state = "has an entry for a lake" if there else "has no entry for a lake"
        yield Check(f"client {client.name}", "ok", f"{client.path} {state}", hint)


def _lake(settings: Settings) -> Iterator[Check]:
    from mcp_lakehouse.store import open_bucket

    try:
        bucket = open_bucket(settings.lake, os.environ)
    except LakehouseError as error:
        yield Check("lake", "fail", error.message, error.hint)
        return
    folder = bucket.local_path("")
    if folder is not None and not folder.exists():
        hint = "mcp-lakehouse ingest FILE makes one; --lake or LAKEHOUSE_LAKE names another"
        yield Check("lake", "warn", f"there is none at {folder} yet", hint)
        yield from _disk(_existing(folder), "lake")
        return
    from mcp_lakehouse.lakehouse import Lakehouse

    try:
        with Lakehouse.open(settings=settings) as lake:
            from mcp_lakehouse.commands.lakechecks import lake_checks

            yield Check("lake", "ok", f"{bucket.url} opens")
            yield from lake_checks(lake)
            if folder is not None:
                yield from _disk(folder, "lake")
            yield from _disk(lake.results.folder, "cache")
    except LakehouseError as error:
        yield Check("lake", "fail", error.message, error.hint)
    except OSError as error:
        yield Check("lake", "fail", str(error), "check the folder's rights, and LAKEHOUSE_CACHE")


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _disk(folder: Path, what: str) -> Iterator[Check]:
    free = shutil.disk_usage(folder).free
    message = f"{free / GIB:.1f} GiB free at {folder}"
    if free < _LOW_DISK_BYTES:
        hint = "make room" if what == "lake" else "make room, or name another folder in LAKEHOUSE_CACHE"
        yield Check(f"{what} disk", "warn", message, hint)
    else:
        yield Check(f"{what} disk", "ok", message)
