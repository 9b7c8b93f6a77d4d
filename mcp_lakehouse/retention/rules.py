"""Which versions stay, and which files nothing needs any more. Pure: lifetimes and times in, answers out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mcp_lakehouse.limits import RetentionLimits
from mcp_lakehouse.store import ObjectInfo
from mcp_lakehouse.table import RETIRED, Lifetimes, ranges, retirements, with_retired


@dataclass(frozen=True, slots=True)
class Kept:
    """The versions that stay, by what keeps them (one version may be kept by several), and those that go."""

    newest: frozenset[int]
    young: frozenset[int]
    pinned: frozenset[int]
    retire: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Removable:
    """Files that no readable version names: those that may go now, and those that wait for readers, until when."""

    ready: frozenset[str]
    waiting: frozenset[str]
    until: datetime | None


def choose(lives: Lifetimes, pins: Collection[int], limits: RetentionLimits, now: datetime) -> Kept:
    """What becomes of the readable versions. One goes only if a file goes with it: without one, nothing is won."""
    versions = lives.open_versions()
    since = now - timedelta(days=limits.keep_days)
    newest = frozenset(each for each in versions if each > lives.newest - limits.keep_versions)
    young = frozenset(each for each in versions if (over := lives.superseded_at(each)) is None or over > since)
    pinned = frozenset(pins) & frozenset(versions)
    kept = sorted(newest | young | pinned)
    lost = lives.named_by(versions) - lives.named_by(kept)
    losing = {version for key in lost for version in lives.versions_naming(key)}
    return Kept(newest, young, pinned, tuple(each for each in versions if each in losing))


def retiring(lives: Lifetimes, versions: Iterable[int], now: datetime, by: str) -> Lifetimes:
    """The lifetimes as they are once these versions are retired."""
    value = with_retired(lives.properties, versions, now, by)
    return replace(lives, properties={**lives.properties, RETIRED: value})


def removable(lives: Lifetimes, limits: RetentionLimits, now: datetime, *, at_once: bool = False) -> Removable:
    """The files that retired versions alone name. `at_once`: nobody is waited for."""
    named = lives.named_by(lives.open_versions())
    retired = retirements(lives.properties)
    grace = timedelta(seconds=limits.grace_seconds)
    ready, waiting = set(), {}
    for key, stretches in lives.stretches.items():
        if key in named:
            continue
        last = max(
            (each.at for each in retired for first, end in stretches if first <= each.last and end >= each.first),
            default=now,
        )
        if at_once or last + grace <= now:
            ready.add(key)
        else:
            waiting[key] = last + grace
    return Removable(frozenset(ready), frozenset(waiting), max(waiting.values(), default=None))


def superseded(lives: Lifetimes, limits: RetentionLimits, now: datetime) -> frozenset[str]:
    """The files that the newest version does not name, and has not for longer than the grace time."""
    grace = timedelta(seconds=limits.grace_seconds)
    return frozenset(
        key
        for key, stretches in lives.stretches.items()
        if (last := max(end for _, end in stretches)) < lives.newest and lives.at[last + 1] + grace <= now
    )


def abandoned(
    listed: Mapping[str, ObjectInfo], known: Collection[str], limits: RetentionLimits, now: datetime
) -> list[ObjectInfo]:
    """Objects that no version ever named, of writes that were broken off long ago.

    Long ago also by the other objects: a clock that jumped makes nothing old.
    """
    newest = max((info.modified for info in listed.values()), default=now)
    before = min(now, newest) - timedelta(seconds=limits.grace_seconds)
    return [info for info in listed.values() if info.key not in known and info.modified < before]


def told(versions: Iterable[int]) -> list[str]:
    """Versions as `3` and `0-41`."""
    return [str(first) if first == last else f"{first}-{last}" for first, last in ranges(versions)]
