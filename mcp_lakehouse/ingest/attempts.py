"""What was committed before: by a load that was reported as failed, or by somebody who repeated it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import takewhile

from mcp_lakehouse.catalog.catalog import Dataset, changes
from mcp_lakehouse.errors import Conflict
from mcp_lakehouse.ingest.telling import RECENT
from mcp_lakehouse.table import Table

# Commits looked through for a repetition since a moment.
_SINCE = 1_000


def attempt_transaction(attempt: str) -> str:
    """The application id under which an attempt is committed, once."""
    return f"load:{attempt}"


def committed(table: Table, attempt: str) -> int | None:
    """The version in which an attempt (if it has a name) arrived, `None` where it did not."""
    if not attempt or table.transaction_version(attempt_transaction(attempt)) is None:
        return None
    found = (commit.version for commit in table.history(None) if commit.info.get("attempt") == attempt)
    # The log may not go back so far any more.
    return next(found, table.head())


def is_repeated(present: Dataset, told: Mapping[str, str], since: datetime | None) -> bool:
    """Whether the last change of data (with `since`: any from then on) was this one, by what is recorded of it."""
    return any(told.items() <= info.items() for info in recent(present, since))


def check_newest(present: Dataset, attempt: str, since: datetime | None) -> None:
    """Raise `Conflict` where other rows came in after an attempt was made: its own may be older than they are."""
    # Names of attempts sort by time.
    if since is not None and any(info.get("attempt", "~") > attempt for info in recent(present, since)):
        raise Conflict(
            f"{present.name!r} was changed after this load was refused, and its rows would replace newer ones",
            hint=f"replay_rescued(id={attempt!r}) does that all the same; to give it up, delete its folder",
        )


def recent(present: Dataset, since: datetime | None) -> Iterator[Mapping[str, str]]:
    """What is recorded of the last change of data; with `since`, of every change from then on."""
    if since is None:
        yield from changes(present.table.history(RECENT))[:1]
    else:
        yield from changes(list(takewhile(lambda commit: commit.at >= since, present.table.history(_SINCE))))
