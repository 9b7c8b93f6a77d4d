"""`datasets` and `describe`: what is in the lake."""

from __future__ import annotations

import argparse

from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.console import counted, printable, say
from mcp_lakehouse.commands.opening import Opening
from mcp_lakehouse.records import Column, DatasetDescription, DatasetList, DatasetSummary

_PAGE = 1_000
_SAMPLE_ROWS = 3
# What is shown of each, and whether it is a number.
_LISTED = {
    "name": False,
    "kind": False,
    "rows": True,
    "columns": True,
    "version": True,
    "updated_at": False,
    "searchable": False,
    "description": False,
}
_MEASURED = {"name": False, "type": False, "nulls": True, "distinct": True, "min": False, "max": False}


def datasets(args: argparse.Namespace, opening: Opening) -> int:
    """List the datasets."""
    with opening() as lake:
        found: list[DatasetSummary] = []
        cursor: str | None = None
        while True:
            page = lake.list_datasets(args.match, _PAGE, cursor)
            found += page.datasets
            cursor = page.next_cursor
            if cursor is None:
                break
    if args.json:
        show.json_value(DatasetList(found, unreadable=page.unreadable))
    elif found:
        show.facts(_LISTED, found)
    else:
        say("no datasets match" if args.match else "no datasets yet; load one with: mcp-lakehouse ingest FILE")
    if page.unreadable:
        say(f"unreadable, doctor says why: {', '.join(page.unreadable)}")
    return 0


def describe(args: argparse.Namespace, opening: Opening) -> int:
    """Show one dataset."""
    with opening() as lake:
        found = lake.describe_dataset(args.dataset, _SAMPLE_ROWS)
    if args.json:
        show.json_value(found)
    else:
        _tell(found)
    return 0


def _tell(found: DatasetDescription) -> None:
    print(f"{found.name}: {found.kind}, {counted(found.rows, 'row')}, version {found.version}")
    if found.description:
        print(printable(found.description, lines=True))
    if found.key:
        print(f"key: {printable(', '.join(found.key))}")
    if found.index:
        facts = f"generation {found.index.generation}, {counted(found.index.rows, 'passage')}, {found.index.model}"
        print(f"search index: {printable(facts)}, recall@10 {found.index.recall_at_10:g}")
    print()
    show.facts(_MEASURED, found.columns)
    if found.truncated:
        say("(more columns: mcp-lakehouse sql \"FROM system.columns WHERE dataset = '…'\")")
    if found.sample:
        print("\nsample")
        show.table([Column(column.name, column.type) for column in found.columns], found.sample)
    print()
    for entry in found.lineage:
        print(f"from {printable(entry.source)} at {entry.at}: {counted(entry.rows, 'row')}")
