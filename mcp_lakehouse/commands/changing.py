"""`drop`, `restore` and `compact`."""

from __future__ import annotations

import argparse

from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.console import counted
from mcp_lakehouse.commands.opening import Opening


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
