"""A version's rows as the loading worker reads them: data files, of which an overlay may shadow rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcp_lakehouse.ingest.engine import Job, literal
from mcp_lakehouse.ingest.reader import select
from mcp_lakehouse.ingest.types import quoted
from mcp_lakehouse.ingest.writing import Columns
from mcp_lakehouse.table import DELETED
from mcp_lakehouse.worker.channel import Message

# Columns of our own beside a table's, whose names nobody gives to theirs.
PLACE, FILE = "lakehouse place", "lakehouse file"
_PLACED = f", (CAST(file_index AS BIGINT) << 40) + file_row_number AS {quoted(PLACE)}"


@dataclass(frozen=True, slots=True)
class Stored:
    """Paths of a version's data files, those the overlay reaches first; `rows` of each.

    `overlay`: its path, or none; `by`: the columns it goes by; `laid_rows`: how many rows its file has.
    """

    paths: Sequence[str]
    rows: Sequence[int]
    reached: int
    overlay: str | None
    by: Sequence[str]
    laid_rows: int

    @classmethod
    def of(cls, request: Message) -> Stored:
        """What a request says of `existing` files, their `rows`, and the `overlay` over all but some of them."""
        existing = paths(request["existing"])
        rows = dict(zip(existing, request.get("rows") or [0] * len(existing), strict=True))
        overlay = request.get("overlay")
        if overlay is None:
            return cls(existing, list(rows.values()), len(existing), None, (), 0)
        after = set(overlay["after"])
        reached = [path for path in existing if path not in after]
        ordered = [*reached, *(path for path in existing if path in after)]
        by, laid = overlay["by"], overlay["rows"]
        return cls(ordered, [rows[path] for path in ordered], len(reached), overlay["path"], by, laid)

    def base(self, job: Job, columns: Columns, *, of: Sequence[int] | None = None, file: bool = False) -> str:
        """A SELECT of the data files' rows that are seen, of all files or some (by their number).

        `columns` must hold those the overlay goes by. `file` adds the number of each row's file as `FILE`.
        """
        chosen = range(len(self.paths)) if of is None else of
        under = [number for number in chosen if self.overlay is not None and number < self.reached]
        free = [number for number in chosen if number not in set(under)]
        selects = []
        if under:
            rows = source(job, [self.paths[n] for n in under], columns, also=_numbered(under) if file else "")
            gone = f"SELECT {_listed(self.by)} FROM ({self.laid(job, columns)})"
            selects.append(f"SELECT * FROM ({rows}) ANTI JOIN ({gone}) USING ({_listed(self.by)})")
        if free or not under:
            found = source(job, [self.paths[n] for n in free], columns, also=_numbered(free) if file else "")
            selects.append(found)
        return " UNION ALL ".join(selects)

    def laid(self, job: Job, columns: Columns) -> str:
        """A SELECT of the overlay's rows, deletions too, with `DELETED`."""
        assert self.overlay is not None
        return source(job, [self.overlay], [*columns, (DELETED, "BOOLEAN")])


def paths(given: Sequence[str | Message]) -> list[str]:
    """The paths of files, which may be given as a worker describes them."""
    return [each if isinstance(each, str) else each["path"] for each in given]


def source(job: Job, files: Sequence[str], columns: Columns, *, place: bool = False, also: str = "") -> str:
    """A SELECT of the columns from files that may lack some of them, or hold narrower types; `place` adds `PLACE`."""
    if not files:
        return f"{select(columns, {}, '(SELECT 1)', also=f', 0 AS {quoted(FILE)}' if also else '')} WHERE false"
    listed = ", ".join(literal(path) for path in files)
    extra = ", file_row_number=true" if place else ""
    read = f"read_parquet([{listed}], union_by_name=true, hive_partitioning=false{extra})"
    there = [str(row[0]) for row in job.rows(f"DESCRIBE SELECT * FROM {read}")]
    have = {name.casefold(): quoted(name) for name in there}
    return select(columns, have, read, also=(_PLACED if place else "") + also)


def only(columns: Columns, names: Sequence[str]) -> Columns:
    """Some of the columns, in the order of the names."""
    kinds = dict(columns)
    return [(name, kinds[name]) for name in names]


def numbers(job: Job, statement: str) -> tuple[int, ...]:
    """The first row of a statement, as whole numbers."""
    return tuple(int(str(value)) for value in job.rows(statement)[0])


def _numbered(files: Sequence[int]) -> str:
    return f", [{', '.join(map(str, files))}][CAST(file_index AS BIGINT) + 1] AS {quoted(FILE)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)
