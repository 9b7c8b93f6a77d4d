"""What an administrator asks of profiles: which there are, and what a reader with one sees."""

from __future__ import annotations

from typing import Protocol

from mcp_lakehouse.catalog.catalog import Catalog, Dataset
from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.index.generation import Generations
from mcp_lakehouse.profile import Profile
from mcp_lakehouse.records import ProfileList, ProfileSummary, QueryResult, ShownDataset

_TRIED_ROWS = 20


class Reader(Protocol):
    """A lake opened as the profile."""

    @property
    def catalog(self) -> Catalog:
        """What it shows."""

    def sql(self, statement: str, params: None = None, max_rows: int = 100) -> QueryResult:
        """Runs a statement there."""


def summary(profile: Profile) -> ProfileSummary:
    """A profile as the settings have it."""
    return ProfileSummary(
        name=profile.name,
        description=profile.description,
        datasets=list(profile.datasets),
        restricted=sorted(name for name, each in profile.restrictions.items() if not each.whole),
        rights=sorted(profile.rights),
        buckets=None if profile.buckets is None else list(profile.buckets),
    )


def seen_by(reader: Reader, whole: Catalog, profile: Profile, statement: str | None) -> ProfileList:
    """What the lake opened as the profile shows, beside what there is; and what a statement gives there."""
    there = {dataset.name for dataset in whole.all()}
    shown = [_seen(reader, whole, profile, name) for name in sorted(reader.catalog.names() & there)]
    shown += [
        ShownDataset(name, 0, 0, [], [], problem="there is no such dataset: this restriction is of nothing")
        for name in sorted(profile.restrictions.keys() - there)
    ]
    answer: list[str] | None = None
    if statement:
        try:
            result = reader.sql(statement, max_rows=_TRIED_ROWS)
            answer = [f"{result.row_count:,} rows: {', '.join(column.name for column in result.columns)}"]
            answer += [" | ".join("NULL" if cell is None else str(cell) for cell in row) for row in result.rows]
        except LakehouseError as error:
            answer = str(error).splitlines()
    return ProfileList([summary(profile)], shown, answer)


def _seen(reader: Reader, whole: Catalog, profile: Profile, name: str) -> ShownDataset:
    restriction = profile.restriction(name)
    found = whole.get(name)
    every = [column.name for column in found.snapshot.columns]
    try:
        snapshot = reader.catalog.get(name).snapshot
    except LakehouseError as error:
        return ShownDataset(name, 0, found.snapshot.rows, [], every, problem=str(error.__cause__ or error))
    columns = [column.name for column in snapshot.columns]
    return ShownDataset(
        dataset=name,
        rows=snapshot.rows,
        of_rows=found.snapshot.rows,
        columns=columns,
        hidden=[column for column in every if column not in columns],
        masked=sorted(restriction.masks) or None,
        where=restriction.where or None,
        generation=restriction.generation,
        problem=_unserved(found, restriction.generation),
    )


def _unserved(dataset: Dataset, number: int | None) -> str | None:
    """Why a generation that is to serve the profile does not."""
    found = None if number is None else Generations(dataset.home.bucket).get(dataset.name, number)
    if number is None or (found is not None and found.published):
        return None
    why = f"was {found.note}" if found is not None else "is not there"
    return f"generation {number} {why}; what served before serves on. system.trials lists those there are"
