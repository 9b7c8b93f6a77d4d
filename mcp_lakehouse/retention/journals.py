"""Taking records out of the lake's own journals for good: their rows, and every file that ever held them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_lakehouse.catalog.journals import staged_records
from mcp_lakehouse.catalog.system import System
from mcp_lakehouse.errors import Conflict
from mcp_lakehouse.retention.objects import listed, remove
from mcp_lakehouse.table import Table
from mcp_lakehouse.tracing.names import SAFE

if TYPE_CHECKING:
    import pyarrow as pa

# Of the records of one file, which go.
Chosen = Callable[["pa.Table"], Sequence[bool]]
_ATTEMPTS = 20


class Journals:
    """The journals of one lake."""

    def __init__(self, system: System, scratch: Path) -> None:
        self._system = system
        self._scratch = scratch

    def forget(self, dataset: str, *, dry_run: bool) -> tuple[dict[str, int], set[str]]:
        """How many records of each journal went, and the keys of the files that are gone.

        Rejected rows: those of the dataset. Errors: those of the dataset, and of statements, which name none and
        may quote values. Spans: whole traces that name the dataset, and every span that carries content.
        """
        traces = self._traces(dataset)
        chosen: dict[str, Chosen] = {
            "rejects": lambda rows: [name == dataset for name in rows.column("dataset").to_pylist()],
            "errors": lambda rows: [name in (None, dataset) for name in rows.column("dataset").to_pylist()],
            "spans": lambda rows: [
                trace in traces or _has_content(attributes)
                for trace, attributes in zip(
                    rows.column("trace_id").to_pylist(), rows.column("attributes").to_pylist(), strict=True
                )
            ],
        }
        counts, gone = {}, set[str]()
        for name, choose in chosen.items():
            counts[name] = 0
            for table in self._system.journal_tables(name):
                counts[name] += self._without(table, choose, dry_run=dry_run)
                if not dry_run:
                    gone |= self._purged(table)
        return counts, gone

    def _without(self, table: Table, choose: Chosen, *, dry_run: bool) -> int:
        """Rewrite the newest version without the chosen records; returns how many there were."""
        for _ in range(_ATTEMPTS):
            snapshot = table.snapshot()
            removed, count = [], 0
            with ExitStack() as stack:
                added = []
                for file in snapshot.files:
                    rows = _read(self._system.home.copies.path(file))
                    flags = choose(rows)
                    if any(flags):
                        count += sum(flags)
                        removed.append(file.key)
                        left = rows.filter([not flag for flag in flags])
                        if left.num_rows:
                            added.append(stack.enter_context(staged_records(left, self._scratch)))
                if dry_run or not removed:
                    return count
                try:
                    table.rewrite(removed, added, at_version=snapshot.version, info={"operation": "forget"})
                    return count
                except Conflict:
                    # Somebody appended; their records are looked at too.
                    continue
        raise Conflict("the journals kept being written to", hint="run it again when less is going on")

    def _purged(self, table: Table) -> set[str]:
        """Remove every file that only older versions name."""
        lives = table.lifetimes()
        old = lives.stretches.keys() - lives.named_by([lives.newest])
        bucket = self._system.home.bucket
        remove(bucket, old & listed(bucket, table.prefix).keys())
        return set(old)

    def _traces(self, dataset: str) -> set[str]:
        table = self._system.journal("spans")
        found: set[str] = set()
        named = re.compile(rf"(?<!\w){re.escape(dataset)}(?!\w)", re.IGNORECASE)
        if table is not None and table.exists():
            for file in table.snapshot().files:
                rows = _read(self._system.home.copies.path(file))
                for trace, attributes in zip(
                    rows.column("trace_id").to_pylist(), rows.column("attributes").to_pylist(), strict=True
                ):
                    if trace and named.search(attributes or ""):
                        found.add(trace)
        return found


def _has_content(attributes: str | None) -> bool:
    try:
        return bool(set(json.loads(attributes or "{}")) - SAFE)
    except (ValueError, TypeError):
        return True


def _read(path: Path) -> pa.Table:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path)
