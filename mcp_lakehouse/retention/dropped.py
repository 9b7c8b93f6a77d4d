"""Dropped datasets: restorable for as long as they were promised to be, then removed by a vacuum.

A dataset's log outlives it as a row of empty records: a writer that still has an old version in mind must find
every number taken. What they told (columns, sources, statistics, who) is taken out of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from mcp_lakehouse.catalog.catalog import Dataset, timestamp
from mcp_lakehouse.catalog.properties import DROPPED_AT, EPOCH, ERASED, RESTORABLE_UNTIL, loaded_contents, transaction
from mcp_lakehouse.errors import NotFound
from mcp_lakehouse.store import ObjectInfo
from mcp_lakehouse.table import RETIRED, TableColumn, bare, schema_string, with_retired

_STUB = (TableColumn("removed", "VARCHAR"),)


def dropping(keep_days: int, now: datetime) -> dict[str, str]:
    """The properties of a dataset that is dropped now."""
    return {DROPPED_AT: timestamp(now), RESTORABLE_UNTIL: timestamp(now + timedelta(days=keep_days))}


def restorable_until(dataset: Dataset, keep_days: int) -> datetime:
    """Until when a dropped dataset stays for certain: as was promised when it was dropped."""
    properties = dataset.snapshot.properties
    promised = properties.get(RESTORABLE_UNTIL)
    if promised:
        return datetime.fromisoformat(promised)
    return datetime.fromisoformat(properties[DROPPED_AT]) + timedelta(days=keep_days)


def erased_at(dataset: Dataset) -> str | None:
    """When a dropped dataset was removed, if it was (ISO 8601)."""
    version, _, at = (dataset.snapshot.properties.get(ERASED) or "").partition(" ")
    return at if at and dataset.dropped and int(version) <= dataset.snapshot.version else None


def check_restorable(dataset: Dataset) -> None:
    """Raise `NotFound` for a dropped dataset of which nothing is left."""
    at = erased_at(dataset)
    if at is not None:
        raise NotFound(
            f"{dataset.name!r} was dropped and then vacuumed on {at}: nothing of it is left",
            hint="load it again, or copy it back from a backup of the lake",
        )


def restored(found: Dataset, version: int, info: Mapping[str, str]) -> None:
    """Make a version the newest again, in an epoch of its own: what was loaded after it is not there any more."""
    old = found.older(version)
    epoch = found.snapshot.version + 1
    loaded = loaded_contents(found.writable.transactions_at(version), old.epoch)
    found.writable.restore(
        version,
        {**info, "restored": str(version)},
        properties={DROPPED_AT: "", RESTORABLE_UNTIL: "", EPOCH: str(epoch)},
        transactions={transaction(epoch, content): 1 for content in loaded},
        at_version=found.snapshot.version,
    )


class Erasing:
    """Removes one dropped dataset, in steps that may each be the last: a later vacuum goes on."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def files(self, data: Mapping[str, ObjectInfo], index: Mapping[str, ObjectInfo]) -> list[ObjectInfo]:
        """What will go, of the objects listed: every file that a version named, and the whole index."""
        named = self._dataset.writable.lifetimes().stretches.keys()
        return [*(info for key, info in data.items() if key in named), *index.values()]

    def mark(self, now: datetime, info: Mapping[str, str]) -> None:
        """Commit that nothing can be read any more. Raises `Conflict` where somebody restored or loaded meanwhile."""
        snapshot = self._dataset.snapshot
        if erased_at(self._dataset) is not None:
            return
        version = snapshot.version + 1
        gone = with_retired({}, range(version), now, "vacuum")
        kept = {name: value for name, value in snapshot.properties.items() if name.startswith("delta.")}
        properties: dict[str, str | None] = dict.fromkeys(snapshot.properties.keys() - kept.keys())
        self._dataset.writable.replace(
            list(_STUB),
            (),
            info=info,
            description="",
            properties={
                **properties,
                DROPPED_AT: snapshot.properties[DROPPED_AT],
                ERASED: f"{version} {timestamp(now)}",
                RETIRED: gone,
            },
            at_version=snapshot.version,
        )

    def finish(self) -> None:
        """Empty the records of the versions before the mark, once their files are gone."""
        text = self._dataset.writable.snapshot().properties.get(ERASED) or ""
        if text:
            self._dataset.writable.redact(int(text.partition(" ")[0]) - 1, bare(schema_string(_STUB)))
