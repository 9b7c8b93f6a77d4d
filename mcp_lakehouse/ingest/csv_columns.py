"""The columns of one delimited file: their types, what is known for certain, and how each is cast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from mcp_lakehouse.ingest import csv_numbers
from mcp_lakehouse.ingest.csv_census import census, date_formats
from mcp_lakehouse.ingest.csv_types import (
    DATE_FORMATS,
    HUGE,
    MARKERS,
    TIMESTAMP_FORMATS,
    TOLERATED_ROWS,
    TOLERATED_SHARE,
    Decision,
    decide,
    looks_dated,
    rounds,
)
from mcp_lakehouse.ingest.engine import Job, literal
from mcp_lakehouse.ingest.types import NANOSECONDS, UNKNOWN, UTC_TIMESTAMP

DRIFT = "a value does not fit what the first rows showed"
_INTEGERS = ("INTEGER", "BIGINT", HUGE)
_MARKERS = ", ".join(literal(each) for each in MARKERS)
_NOTED_COLUMNS = 5
_DATED_COLUMNS = 50


@dataclass(slots=True)
class Column:
    """One column. `complete` says that every value of the file was counted, so no cast can surprise.

    `format` is a date notation other than ISO, `ambiguous` that several would do.
    """

    name: str
    complete: bool
    decision: Decision = field(default_factory=lambda: Decision(UNKNOWN))
    examples: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    ambiguous: bool = False
    fits_integer: bool = False
    # Numbers that were rounded (one of them), decimal commas, numbers that stay text (one of them).
    rounded: str | None = None
    comma: bool = False
    otherwise: str | None = None


class CsvColumns:
    """All columns of a file. In SQL column number n (from 0) is `cn`, whatever its name."""

    def __init__(self, job: Job, names: Sequence[str], *, complete: bool, comma: bool = False) -> None:
        """`comma` says that numbers may have decimal commas."""
        self._job = job
        self._comma = comma
        self.all = [Column(name, complete) for name in names]

    def named(self, name: str) -> Column:
        """A column by its name in any case."""
        return next(column for column in self.all if column.name.casefold() == name.casefold())

    # Deciding ---------------------------------------------------------------------------------

    def count(self, texts: Callable[[], str], places: Sequence[int], limit: int | None) -> None:
        """Decide these columns by their first `limit` values, or by all. `texts()` is the file as texts, in SQL."""
        if not places:
            return
        source = texts()
        counted = census(self._job, source, [f"c{place}" for place in places], limit)
        for place in places:
            column, found = self.all[place], counted[f"c{place}"]
            column.complete = column.complete or limit is None
            if column.format is None:
                column.decision = decide(found.kinds)
                column.examples = found.examples
                column.fits_integer = not (found.kinds.get("long") or found.kinds.get("huge"))
                self._settle_numbers(source, place, found.kinds)
        self._find_formats(source, [place for place in places if self._may_be_dated(place)], limit)

    def _settle_numbers(self, source: str, place: int, kinds: dict[str, int]) -> None:
        """Numbers that a DOUBLE would round, and numbers that are not written as the engine has them."""
        column, alias = self.all[place], f"c{place}"
        column.rounded = column.otherwise = None
        column.comma = False
        example = column.examples.get("text", "")
        if column.decision.type == "DOUBLE" and kinds.keys() & {"exact", "fine"}:
            exact = None if kinds.keys() & {"fine", "nan"} else csv_numbers.decimal_for(self._job, source, alias)
            if exact is None:
                column.rounded = column.examples.get("exact") or column.examples.get("fine")
            else:
                column.decision = replace(column.decision, type=exact)
        elif column.decision.type == "VARCHAR" and csv_numbers.may_be_number(example):
            found = csv_numbers.otherwise(self._job, source, alias)
            column.comma = found.comma and self._comma and not kinds.get("zero")
            if column.comma:
                column.decision, column.complete = Decision("DOUBLE"), True
            elif found.numbers:
                column.otherwise = example

    def reads_as(self, texts: Callable[[], str], name: str, wanted: str) -> bool:
        """Text may always stay text; numbers may be read as others that hold all of them."""
        column = self.named(name)
        kind, alias = column.decision.type, f"c{self.all.index(column)}"
        if wanted == "VARCHAR":
            return True
        if column.comma or not (kind in ("BIGINT", "DOUBLE") or kind.startswith("DECIMAL")):
            return False
        if wanted == "INTEGER":
            return kind == "BIGINT" and column.fits_integer
        if wanted == "DOUBLE":
            if kind not in _INTEGERS:
                column.rounded = column.examples.get("exact")
                return True
            return not self._job.rows(f"SELECT 1 FROM {texts()} WHERE {rounds(alias)} LIMIT 1")
        return wanted.startswith("DECIMAL") and csv_numbers.fits_decimal(self._job, texts(), alias, wanted)

    def incomplete(self) -> list[int]:
        """Typed columns of which only the first values were counted; texts hold whatever comes."""
        return [
            place for place, column in enumerate(self.all) if not column.complete and column.decision.type != "VARCHAR"
        ]

    def unseen(self) -> list[int]:
        """Columns that had no value so far, though not all were counted."""
        return [
            place for place, column in enumerate(self.all) if not column.complete and column.decision.type == UNKNOWN
        ]

    def _may_be_dated(self, place: int) -> bool:
        column = self.all[place]
        textual = column.decision.type == "VARCHAR" and looks_dated(column.examples.get("text", ""))
        return column.format is not None or textual

    def _find_formats(self, source: str, places: list[int], limit: int | None) -> None:
        """Dates in other notations: one for days and one for times in a file, as the engine has it."""
        if not places:
            return
        places = places[:_DATED_COLUMNS]
        counted = date_formats(self._job, source, [f"c{place}" for place in places], limit)
        unclear = []
        for place in places:
            column = self.all[place]
            total, misses = counted.get(f"c{place}", (0, {}))
            tolerated = min(total * TOLERATED_SHARE, TOLERATED_ROWS - 1) if column.format else 0
            fitting = [each for each in misses if misses[each] <= tolerated]
            column.ambiguous = {_day_first(each) for each in fitting} >= {True, False}
            if column.ambiguous and limit is not None:
                unclear.append(place)
                continue
            best = min(fitting, key=misses.__getitem__, default=None)
            if best is None or column.ambiguous or not self._is_free(best, place):
                column.format, column.decision = None, Decision("VARCHAR")
            else:
                column.format, column.decision = best, Decision(type_of_format(best), misses[best])
        # More rows may tell days from months.
        self._find_formats(source, unclear, None)

    def _is_free(self, wanted: str, place: int) -> bool:
        days = wanted in DATE_FORMATS
        others = [column for other, column in enumerate(self.all) if other != place]
        if days and any(column.format is None and column.decision.type == "DATE" for column in others):
            return False
        taken = {column.format for column in others if column.format and (column.format in DATE_FORMATS) == days}
        return taken <= {wanted}

    # Reading ----------------------------------------------------------------------------------

    def read(self, place: int, wanted: str) -> tuple[str, str]:
        """The type the engine reads a column as, and the expression that makes it `wanted`.

        Casts that would change a value without an error are checked, unless all values are known; so
        are those beside marks for null (the engine knows such marks for a whole file only).
        """
        column, alias = self.all[place], f"c{place}"
        if wanted == "VARCHAR":
            return "VARCHAR", alias
        marked = column.decision.markers
        if column.comma:
            return "VARCHAR", csv_numbers.comma_cast(alias)
        if column.format is not None:
            if not marked and column.format in DATE_FORMATS:
                return "DATE", alias
            if not marked:
                # Not a cast: the engine would move that into its reader, which then ignores the notation.
                return "TIMESTAMP", f"{alias} AT TIME ZONE 'UTC'"
            cast = f"try_strptime({alias}, {literal(column.format)})"
        else:
            cast = f"TRY_CAST({alias} AS {wanted})"
        fits = f"{cast} IS NOT NULL"
        if not column.complete and wanted == "DATE" and column.format is None:
            fits = f"length({alias}) <= 10 AND {fits}"
        elif not column.complete and wanted in _INTEGERS:
            plain = f"regexp_full_match({alias}, '\\s*[+-]?(0|[1-9]\\d*)\\s*')"
            fits = f"{cast}::VARCHAR = {alias} OR ({plain} AND {fits})"
        elif not marked:
            return wanted, alias
        null = f"{alias} IS NOT NULL" + (f" AND {alias} NOT IN ({_MARKERS})" if marked else "")
        return "VARCHAR", f"CASE WHEN {fits} THEN {cast} WHEN {null} THEN error({literal(DRIFT)}) END"

    def options(self) -> list[str]:
        """Options of `read_csv` that follow from the columns."""
        formats = {column.format for column in self.all if column.format is not None}
        days = [f"dateformat={literal(each)}" for each in formats if each in DATE_FORMATS]
        return days + [f"timestampformat={literal(each)}" for each in formats if each in TIMESTAMP_FORMATS]

    # Telling ----------------------------------------------------------------------------------

    def notes(self) -> Iterator[str]:
        """What a user should know about the types."""
        for column in self.all:
            if column.rounded is not None:
                shown = column.rounded[:60]
                yield f"column {column.name!r} is DOUBLE: numbers of over 16 digits, such as {shown!r}, were rounded"
            if "instant" in column.examples and column.decision.type == UTC_TIMESTAMP:
                yield f"column {column.name!r}: {NANOSECONDS}"
            if column.comma:
                yield f"column {column.name!r} was read as numbers with decimal commas"
            if column.otherwise is not None:
                yield (
                    f"column {column.name!r} is kept as text: its values look like numbers with separators or units, "
                    f"such as {column.otherwise[:60]!r} (convert it with replace and CAST)"
                )
        kept = [column for column in self.all if column.decision.typed and column.otherwise is None]
        for column in kept[:_NOTED_COLUMNS]:
            example = next((column.examples[kind] for kind in ("text", "odd", "nan") if kind in column.examples), None)
            shown = f", such as {example[:60]!r}" if example is not None else ""
            typed = (column.decision.typed or "").replace(UTC_TIMESTAMP, "timestamps")
            yield f"column {column.name!r} is kept as text: {column.decision.bad:,} values are not {typed}{shown}"
        marked = [column.name for column in self.all if column.decision.markers]
        if marked:
            yield f"missing-value marks (NA, NULL, …) were read as null in {', '.join(map(repr, marked[:10]))}"
        for column in self.all:
            if column.format is not None:
                yield f"column {column.name!r} was read as {type_of_format(column.format)} written {column.format}"
            elif column.ambiguous:
                yield (
                    f"column {column.name!r} looks like dates, but days and months cannot be told apart; it is kept "
                    "as text (convert it with strptime)"
                )


def type_of_format(found: str) -> str:
    """DATE for a notation of days, a timestamp for one of times."""
    return "DATE" if found in DATE_FORMATS else UTC_TIMESTAMP


def _day_first(found: str) -> bool | None:
    """Whether a notation has the day before a month in digits; `None` where it cannot be mistaken."""
    day, month = found.find("%d"), found.find("%m")
    return None if month < 0 or found.startswith("%Y") else day < month
