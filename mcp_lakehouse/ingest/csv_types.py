"""Which type a column of texts has: every value is put into one kind, and the counts of kinds decide.

The engine's own casts accept more than they should keep (`2.5` as an integer loses its half, `01234`
its zero, `2020-01-01 10:00` as a date its time), so a type is taken only where no value would change.

Values are judged column by column, in every row that splits into the right number of fields: also in
rows that another column's value gets rejected later. Such a row may thus keep a column text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mcp_lakehouse.ingest.types import UNKNOWN, UTC_TIMESTAMP

# Texts that stand for "no value" where everything else in the column is typed.
MARKERS = ("NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "NONE", "-", "--", ".", "?", "\\N")
HUGE = "DECIMAL(38,0)"
# A column keeps its type with this share of bad values, if there are fewer than so many.
TOLERATED_SHARE = 0.01
TOLERATED_ROWS = 1_000
DATE_FORMATS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d",
    "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y",
)  # fmt: skip
_CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
TIMESTAMP_FORMATS = tuple(f"{day} {clock}" for day in DATE_FORMATS[:6] for clock in _CLOCKS)
_DATED = re.compile(
    r"(\d{1,2}([-/.])\d{1,2}\2\d{4}|\d{4}\.\d{1,2}\.\d{1,2}|"
    r"\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{4}|[A-Za-z]{3,9} \d{1,2}, \d{4})"
    r"( \d{1,2}:\d{2}.*)?"
)

_ISO_DAY = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
_ISO_TIME = _ISO_DAY + r"[T ]\d{1,2}:\d{2}(:\d{2}([.]\d{1,9})?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?"
NUMBER = r"\s*[+-]?(\d+[.]?\d*|[.]\d+)([eE][+-]?\d+)?\s*"
# A DOUBLE gives back every number of 15 digits, and no other one than it was given of those with 17.
PLAIN_NUMBER = r"\s*[+-]?\d{0,26}([.]\d{0,12})?\s*"
MAX_SCALE = 12
_FINE_DIGITS = 17


def kind_expression(value: str) -> str:
    """SQL that names the kind of a text.

    One of int, long, zero, huge, number, exact (a DOUBLE would round it, a decimal not), fine (more
    digits than a DOUBLE has), nan, truth, date, time, instant (parts of a microsecond), na, odd or text.
    """
    markers = ", ".join("'" + marker.replace("'", "''") + "'" for marker in MARKERS)
    digits = f"ltrim(regexp_replace({value}, '[eE].*|[^0-9]', '', 'g'), '0')"
    fine = f"length({value}) > {_FINE_DIGITS} AND length({digits}) > {_FINE_DIGITS}"
    decimal = f"DECIMAL(38,{MAX_SCALE})"
    rounded = f"TRY_CAST({value} AS {decimal}) <> TRY_CAST(TRY_CAST({value} AS DOUBLE)::VARCHAR AS {decimal})"
    return f"""CASE
        WHEN TRY_CAST({value} AS INTEGER)::VARCHAR = {value} THEN 'int'
        WHEN TRY_CAST({value} AS BIGINT)::VARCHAR = {value} THEN 'long'
        WHEN regexp_full_match({value}, '\\s*[+-]?0\\d+\\s*') THEN 'zero'
        WHEN regexp_full_match({value}, '\\s*[+-]?\\d+\\s*') THEN CASE
            WHEN TRY_CAST({value} AS INTEGER) IS NOT NULL THEN 'int'
            WHEN TRY_CAST({value} AS BIGINT) IS NOT NULL THEN 'long'
            WHEN TRY_CAST({value} AS {HUGE}) IS NOT NULL THEN 'huge' ELSE 'text' END
        WHEN regexp_full_match({value}, '{NUMBER}') AND TRY_CAST({value} AS DOUBLE) IS NOT NULL THEN CASE
            WHEN isinf(TRY_CAST({value} AS DOUBLE)) THEN 'odd'
            WHEN length({value}) > 16 AND regexp_full_match({value}, '{PLAIN_NUMBER}') AND {rounded} THEN 'exact'
            WHEN {fine} THEN 'fine'
            ELSE 'number' END
        WHEN {value} IN ({markers}) THEN 'na'
        WHEN lower({value}) IN ('nan', 'inf', '-inf', 'infinity', '-infinity') THEN 'nan'
        WHEN lower({value}) IN ('true', 'false') THEN 'truth'
        WHEN regexp_full_match({value}, '{_ISO_DAY}') AND TRY_CAST({value} AS DATE) IS NOT NULL THEN 'date'
        WHEN regexp_full_match({value}, '{_ISO_TIME}') AND TRY_CAST({value} AS TIMESTAMPTZ) IS NOT NULL
            THEN CASE WHEN regexp_matches({value}, '[.]\\d{{6,8}}[1-9]') THEN 'instant' ELSE 'time' END
        WHEN TRY_CAST({value} AS DOUBLE) IS NOT NULL OR TRY_CAST({value} AS BIGINT) IS NOT NULL THEN 'odd'
        ELSE 'text' END"""


def rounds(value: str) -> str:
    """SQL that tells whether a text is a whole number (of up to 38 digits) beyond those that DOUBLE holds all of."""
    return f"(length({value}) > 15 AND abs(TRY_CAST({value} AS {HUGE})) > {2**53})"


def whole_numbers(column: str) -> str:
    """SQL that counts numbers a DOUBLE would round, other ones, those too long for a decimal, and endless ones."""
    whole = f"regexp_full_match({column}, '-?\\d+')"
    vast = f"{whole} AND TRY_CAST({column} AS DECIMAL(38,0)) IS NULL"
    return (
        f"count_if({rounds(column)} OR ({vast})), count_if(NOT {whole}), count_if({vast}), "
        f"count_if(isinf(TRY_CAST({column} AS DOUBLE)))"
    )


@dataclass(frozen=True, slots=True)
class Decision:
    """A column's type, how many values do not fit it, and whether missing-value markers are to be read as null.

    `typed` is the type that most values have although the column is kept as text.
    """

    type: str
    bad: int = 0
    markers: bool = False
    typed: str | None = None


_FRACTIONS = frozenset({"number", "exact", "fine"})
# Type, the kinds it takes, and the kinds its cast would take too but change.
_TYPES: tuple[tuple[str, frozenset[str], frozenset[str]], ...] = (
    ("BOOLEAN", frozenset({"truth"}), frozenset({"int", "long", "text"})),
    ("BIGINT", frozenset({"int", "long"}), _FRACTIONS | {"huge", "odd"}),
    (HUGE, frozenset({"int", "long", "huge"}), _FRACTIONS | {"odd"}),
    ("DOUBLE", _FRACTIONS | {"int", "long", "huge", "nan"}, frozenset({"odd"})),
    ("DATE", frozenset({"date"}), frozenset({"time", "instant", "nan"})),
    (UTC_TIMESTAMP, frozenset({"date", "time", "instant"}), frozenset({"nan"})),
)


def decide(kinds: Mapping[str, int]) -> Decision:
    """The type for a column with so many non-null values of each kind.

    The type with the fewest misfits wins, the narrower one on a tie; it is taken if at most 1 %
    (and fewer than 1,000) of the values do not fit, else the column stays text. Beside marks for
    null every value must fit.
    """
    total = sum(count for kind, count in kinds.items() if kind != "na")
    if not total:
        return Decision("VARCHAR" if kinds.get("na") else UNKNOWN)
    if kinds.get("zero"):
        return Decision("VARCHAR")
    best: tuple[int, str] | None = None
    for name, fitting, changed in _TYPES:
        good = sum(kinds.get(kind, 0) for kind in fitting)
        if not good or any(kinds.get(kind) for kind in changed):
            continue
        if name == "DOUBLE" and good == kinds.get("nan"):
            continue
        if best is None or total - good < best[0]:
            best = (total - good, name)
    if best is None:
        numbers = sum(kinds.get(kind, 0) for kind in ("int", "long", "huge", *_FRACTIONS))
        return Decision("VARCHAR", total - numbers, typed="BIGINT" if numbers > total / 2 else None)
    bad, name = best
    marked = bool(kinds.get("na"))
    if not bad or (not marked and bad <= total * TOLERATED_SHARE and bad < TOLERATED_ROWS):
        return Decision(name, bad, markers=marked)
    return Decision("VARCHAR", bad, typed=name if bad < total / 2 else None)


def looks_dated(example: str) -> bool:
    """Whether a text could be a date in some other notation (four digits of a year are required)."""
    return bool(_DATED.fullmatch(example))
