"""What the verbs about retention return."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatasetVacuum:
    """What a vacuum did to one dataset (or would do). Sizes in bytes, times ISO 8601 UTC, versions as `3` or `0-41`.

    `retired` versions can be read no more; their files go when `grace` is over: those are `waiting`.
    """

    dataset: str
    retired: list[str]
    files_removed: int
    bytes_removed: int
    files_waiting: int
    bytes_waiting: int
    # What stays, and why.
    kept: list[str]
    waiting_until: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class VacuumReport:
    """What a vacuum did, or with `dry_run` would do."""

    datasets: list[DatasetVacuum]
    files_removed: int
    bytes_removed: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class ForgetPlace:
    """One place that rows were looked for in: what was removed there (a count of `what`), and what stays."""

    place: str
    removed: int
    what: str
    left: str | None = None


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """What forgetting removed, or with `dry_run` would remove.

    `rows` are those of the newest version, `version` the one without them. `retired` versions (as `3` or `0-41`)
    held such rows and can be read no more. `left` is what no command of ours reaches.
    """

    dataset: str
    version: int
    rows: int
    retired: list[str]
    places: list[ForgetPlace]
    left: list[str]
    # Whether the places were looked at again afterwards, and held nothing more.
    verified: bool
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Pin:
    """A version that no vacuum takes, and why."""

    dataset: str
    version: int
    reason: str
    at: str
    who: str
