"""Versions that cannot be read any more, as a property of their own table: which, since when, and what took them.

A version is retired by a commit before any of its files go, so nobody meets a missing file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

RETIRED = "lakehouse.retired"
# What belongs to the table and not to one of its versions: restoring an older version leaves it as it is.
OF_THE_TABLE = (RETIRED, "lakehouse.erased")
# A vacuum each night for a year; beyond, neighbours are told as one, with the later of their times.
_ENTRIES = 400


@dataclass(frozen=True, slots=True)
class Retirement:
    """Versions `first` to `last`, retired at a moment (UTC) by `vacuum` or `forget`."""

    first: int
    last: int
    at: datetime
    by: str

    def __str__(self) -> str:
        did = "lost rows that were forgotten" if self.by == "forget" else "was vacuumed"
        return f"{did} on {self.at.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}"


def retirements(properties: Mapping[str, str]) -> list[Retirement]:
    """All of a table, by their first version."""
    entries = json.loads(properties.get(RETIRED) or "[]")
    return [Retirement(first, last, datetime.fromisoformat(at), by) for first, last, at, by in entries]


def retirement(properties: Mapping[str, str], version: int) -> Retirement | None:
    """The one of a version, if it has been retired."""
    return next((each for each in retirements(properties) if each.first <= version <= each.last), None)


def with_retired(properties: Mapping[str, str], versions: Iterable[int], at: datetime, by: str) -> str:
    """The property's value with these versions retired too."""
    found = retirements(properties)
    found += [Retirement(first, last, at, by) for first, last in ranges(versions)]
    return _text(sorted(found, key=lambda each: each.first))


def without_retired(properties: Mapping[str, str], versions: Iterable[int]) -> str:
    """The property's value with these versions readable again."""
    taken = set(versions)
    return _text(
        [
            Retirement(first, last, each.at, each.by)
            for each in retirements(properties)
            for first, last in ranges(set(range(each.first, each.last + 1)) - taken)
        ]
    )


def ranges(versions: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as ranges, both ends included."""
    found: list[tuple[int, int]] = []
    for version in sorted(set(versions)):
        if found and found[-1][1] == version - 1:
            found[-1] = (found[-1][0], version)
        else:
            found.append((version, version))
    return found


def _text(entries: list[Retirement]) -> str:
    merged: list[Retirement] = []
    surplus = len(entries) - _ENTRIES
    for each in entries:
        before = merged[-1] if merged else None
        same = before is not None and (before.at, before.by) == (each.at, each.by)
        if before is not None and before.last == each.first - 1 and (same or surplus > 0):
            surplus -= not same
            merged[-1] = Retirement(before.first, each.last, max(before.at, each.at), each.by)
        else:
            merged.append(each)
    return json.dumps([[each.first, each.last, each.at.isoformat(), each.by] for each in merged], separators=(",", ":"))
