"""`drop`, `restore`, `compact` and `replay`."""

from __future__ import annotations

import argparse

from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.console import counted, printable, say
from mcp_lakehouse.commands.opening import Opening
from mcp_lakehouse.commands.progress import shown
from mcp_lakehouse.commands.running import interruptible
from mcp_lakehouse.commands.wording import in_commands


def drop(args: argparse.Namespace, opening: Opening) -> int:
    """Drop a dataset whose name was given twice."""
    with opening() as lake:
        report = lake.drop_dataset(args.dataset, args.confirm)
    if args.json:
        show.json_value(report)
    else:
        until = f"until {report.restorable_until} at least"
        print(f"dropped {report.dropped}; bring it back with: mcp-lakehouse restore {report.dropped} ({until})")
    return 0


def restore(args: argparse.Namespace, opening: Opening) -> int:
    """Bring a dataset or an older version back."""
    with opening() as lake:
        report = lake.restore_dataset(args.dataset, args.version)
    if args.json:
        show.json_value(report)
    else:
        print(f"{report.dataset} is at version {report.version}")
    return 0


def compact(args: argparse.Namespace, opening: Opening) -> int:
    """Rewrite small files into few."""
    with opening() as lake:
        before = len(lake.catalog.get(args.dataset).snapshot.files)
        version = lake.compact(args.dataset)
        found = lake.catalog.get(args.dataset)
    after = len(found.snapshot.files)
    if args.json:
        show.json_value({"dataset": found.name, "version": version, "files_before": before, "files": after})
    else:
        print(f"{found.name} v{version}: {counted(before, 'file')} before, {after} now")
    return 0


def replay(args: argparse.Namespace, opening: Opening) -> int:
    """Finish refused writes; fails where one still waits."""
    with opening() as lake, shown("replay") as progress:
        report = interruptible(lambda token: lake.replay_rescued(args.id, progress=progress, cancel=token))
    if args.json:
        show.json_value(report)
    else:
        for each in report.entries:
            became = f"version {each.version}" if each.version is not None else "written"
            print(f"{each.id} {each.dataset}: {became if each.waits is None else 'still waits'}")
            for told in filter(None, (each.waits, each.note)):
                say(printable(in_commands(told), lines=True))
        if not report.entries:
            say("nothing waits")
    return 1 if any(each.waits for each in report.entries) else 0
