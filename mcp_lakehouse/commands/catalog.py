"""`datasets` and `describe`: what is in the lake."""

from __future__ import annotations

import argparse

from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.console import counted, printable, say
from mcp_lakehouse.commands.opening import Opening
from mcp_lakehouse.records import Column, ColumnStatistics, DatasetDescription, DatasetList, DatasetSummary

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
_BOUND_CHARS = 24
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


def _measured(column: ColumnStatistics) -> dict[str, object]:
    """A column's line; of long texts the beginning tells enough, names and types are read whole."""
    bounds = {name: getattr(column, name) for name in ("min", "max")}
    short = {
        name: f"{text[: _BOUND_CHARS - 1]}…" if len(text := show.cell(value)) > _BOUND_CHARS else value
        for name, value in bounds.items()
    }
    # It is an estimate.
    distinct = None if column.distinct is None else f"~{column.distinct}"
    return {name: getattr(column, name) for name in _MEASURED} | short | {"distinct": distinct}


def _tell(found: DatasetDescription) -> None:
    print(f"{found.name}: {found.kind}, {counted(found.rows, 'row')}, version {found.version}")
    if found.description:
        print(printable(found.description, lines=True))
    if found.key:
        print(f"key: {printable(', '.join(found.key))}")
    if found.index:
        facts = f"generation {found.index.generation}, {counted(found.index.rows, 'passage')}, {found.index.model}"
        print(f"search index: {printable(facts)}, recall@10 {found.index.recall_at_10:g}")
    elif found.text:
        print(f"search index: not built yet, all passages of {printable(', '.join(found.text))} are searched exactly")
    print()
    show.facts(_MEASURED, [_measured(column) for column in found.columns])
    if found.truncated:
        say("(more columns: mcp-lakehouse sql \"FROM system.columns WHERE dataset = '…'\")")
    if found.sample:
        print("\nsample")
        show.table([Column(column.name, column.type) for column in found.columns], found.sample, brief=True)
    print()
    for entry in found.lineage:
        print(f"from {printable(entry.source)} at {entry.at}: {counted(entry.rows, 'row')}")
