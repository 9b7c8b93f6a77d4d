"""What nothing needs beside a table's data files: passages of files that are gone, unfinished files."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from mcp_lakehouse.index.generation import Generations
from mcp_lakehouse.index.names import leaf
from mcp_lakehouse.limits import RetentionLimits
from mcp_lakehouse.retention.rules import abandoned
from mcp_lakehouse.store import Bucket, ObjectInfo
from mcp_lakehouse.store.temporary import is_temporary
from mcp_lakehouse.table import Lifetimes

_RECORDS = ("generations", "publications")


def index_leftovers(
    listed: Mapping[str, ObjectInfo],
    prefix: str,
    lives: Lifetimes,
    retired: Collection[str],
    past: Collection[str],
    limits: RetentionLimits,
    now: datetime,
) -> list[ObjectInfo]:
    """Passages (of those listed below `prefix`) of data files that only retired versions name, of writes that were
    broken off, and those made by recipes that are past.

    Manifests and publications stay: they are the record of every trial.
    """
    gone = {leaf(key) for key in retired}
    known = {leaf(key) for key in lives.stretches}
    start = len(prefix) + 1
    found = {}
    unknown = {}
    for key, info in listed.items():
        recipe, _, name = key[start:].partition("/")
        if not name or recipe in _RECORDS:
            continue
        if name in gone or recipe in past:
            found[key] = info
        elif name not in known:
            unknown[key] = info
    return [*found.values(), *abandoned(unknown, (), limits, now)]


def past_recipes(generations: Generations, dataset: str, pinned: Collection[int]) -> frozenset[str]:
    """Recipes of generations that neither serve, nor would after one rollback, nor are pinned."""
    current = generations.current(dataset)
    published = [each for each in generations.all(dataset) if each.published]
    if current is None:
        return frozenset()
    before = max((each.number for each in published if each.number < current), default=current)
    needed = {each.recipe.identifier for each in published if each.number >= before or each.number in pinned}
    return frozenset(each.recipe.identifier for each in published if each.number < before) - needed


def unfinished(bucket: Bucket, prefix: str, older: timedelta) -> list[tuple[Path, int]]:
    """Files that killed writers left unfinished in a local folder, with their sizes; object storage shows none."""
    folder = bucket.local_path(prefix)
    if folder is None or not folder.is_dir():
        return []
    paths = [path for path in folder.rglob(".*") if is_temporary(path.name)]
    times = []
    for path in paths:
        with contextlib.suppress(OSError):
            status = path.stat()
            times.append((path, status.st_size, status.st_mtime))
    # By the clock that wrote them, and as old beside everything else that was written here.
    newest = max((info.modified.timestamp() for info in bucket.list(prefix)), default=0.0)
    return [(path, size) for path, size, modified in times if modified < newest - older.total_seconds()]
