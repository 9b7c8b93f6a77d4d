"""Whether what a table's log names is really in the bucket."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.catalog.listing import TABLES, folder_of
from mcp_lakehouse.catalog.system import JOURNALS
from mcp_lakehouse.errors import LakehouseError, NotAllowed
from mcp_lakehouse.lakehouse import Lakehouse
from mcp_lakehouse.store import Bucket
from mcp_lakehouse.table import Snapshot

_COMMIT = re.compile(r"/_delta_log/(\d{20})\.json$")


@dataclass(frozen=True, slots=True)
class Finding:
    """One table: what its newest version holds (sizes in bytes), and what is wrong with it, if anything."""

    name: str
    version: int
    rows: int
    files: int
    bytes: int
    dropped: bool
    problem: str | None = None


def examine_all(lake: Lakehouse) -> Iterator[Finding]:
    """Every table by name: datasets, dropped ones too, then the lake's own journals. Raises `NotAllowed` to readers."""
    if not lake.may("admin"):
        raise NotAllowed("only an administrator may look at the files of a lake", hint="open it without a profile")
    for name in sorted(lake.catalog.names()):
        try:
            dataset = lake.catalog.find(name)
        except LakehouseError as error:
            yield Finding(name, 0, 0, 0, 0, False, error.message)
            continue
        if dataset is not None:
            yield _examine(dataset)
    for name in JOURNALS:
        table = lake.system.journal_read(name)
        if table is not None:
            snapshot = table.snapshot()
            yield _finding(f"system.{name}", snapshot, False, _absent(lake.bucket, table.prefix, snapshot))


def _examine(dataset: Dataset) -> Finding:
    prefix = f"{TABLES}/{folder_of(dataset.name)}"
    problem = _absent(dataset.home.bucket, prefix, dataset.snapshot)
    return _finding(dataset.name, dataset.snapshot, dataset.dropped, problem)


def _finding(name: str, snapshot: Snapshot, dropped: bool, problem: str | None) -> Finding:
    size = sum(file.bytes for file in snapshot.stored)
    return Finding(name, snapshot.version, snapshot.rows, len(snapshot.stored), size, dropped, problem)


def _absent(bucket: Bucket, prefix: str, snapshot: Snapshot) -> str | None:
    """What is wrong with the files of a version, in one sentence; one listing, whatever their number."""
    there = {found.key: found.bytes for found in bucket.list(prefix)}
    later = [version for version in _commits(there) if version > snapshot.version]
    if later and snapshot.version + 1 not in later:
        return f"its log lacks version {snapshot.version + 1}, and later versions are there"
    missing = [file.key for file in snapshot.stored if file.key not in there]
    count = len(snapshot.stored)
    if missing:
        return f"{len(missing)} of {count} files are missing, {missing[0]} for one"
    changed = [file.key for file in snapshot.stored if there[file.key] != file.bytes]
    if changed:
        return f"{len(changed)} of {count} files have another size than was committed, {changed[0]} for one"
    return None


def _commits(keys: Iterable[str]) -> Iterator[int]:
    """The versions that have a record in a table's log."""
    return (int(match[1]) for match in map(_COMMIT.search, keys) if match)
