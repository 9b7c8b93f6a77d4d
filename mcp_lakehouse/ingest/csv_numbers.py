"""Numbers in delimited text that a DOUBLE would round, and those written in other ways than the engine reads.

What is settled here is settled by all values of a column, not by the first ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mcp_lakehouse.ingest.csv_types import MAX_SCALE, NUMBER, PLAIN_NUMBER
from mcp_lakehouse.ingest.engine import Job
from mcp_lakehouse.table.types import Decimal, parse_type

_DIGITS = 38
# What most engines keep in eight bytes.
_SMALLEST = 18
# 1,75 or 1.234,75; up to 15 digits, which a DOUBLE gives back.
_COMMA = r"[+-]?((0|[1-9]\d{0,8})(,\d{1,6})?|[1-9]\d{0,2}([.]\d{3}){1,2},\d{1,6})"
_GROUPED = r"[+-]?[1-9]\d{0,2}(,\d{3})+"
_OTHERWISE = r"[-+]?\s*([$€£¥]|[A-Z]{3})?\s*[-+]?(\d{1,3}([,.'\s]\d{3})+|\d+)([.,]\d+)?\s*([$€£¥%]|[A-Z]{3})?"
_LIKELY = re.compile(_OTHERWISE)


@dataclass(frozen=True, slots=True)
class Otherwise:
    """How the values of a column of texts are written: `comma` if all are numbers with decimal commas."""

    comma: bool
    numbers: bool


def decimal_for(job: Job, source: str, column: str) -> str | None:
    """The decimal that holds every number of a column exactly, or `None`. `source` yields texts."""
    number = f"regexp_full_match({column}, '{NUMBER}')"
    ((other, whole, fraction),) = job.rows(
        f"SELECT count_if({number} AND NOT regexp_full_match({column}, '{PLAIN_NUMBER}')), "
        f"max(CASE WHEN {number} THEN length(regexp_extract({column}, '0*(\\d*)', 1)) END), "
        f"max(CASE WHEN {number} THEN length(regexp_extract({column}, '[.](\\d*)', 1)) END) FROM "
        f"(SELECT ltrim({column}, ' +-') AS {column} FROM {source})"
    )
    digits, scale = int(str(whole or 0)), int(str(fraction or 0))
    if other or scale > MAX_SCALE or digits + scale > _DIGITS:
        return None
    return f"DECIMAL({max(_SMALLEST, digits + scale)},{scale})"


def fits_decimal(job: Job, source: str, column: str, wanted: str) -> bool:
    """Whether every number of a column is one of a DECIMAL type, with no digit lost."""
    kind = parse_type(wanted)
    if not isinstance(kind, Decimal):
        return False
    exact = f"regexp_full_match({column}, '\\s*[+-]?\\d*([.]\\d{{0,{kind.scale}}}0*)?\\s*')"
    misfit = f"NOT ({exact} AND TRY_CAST({column} AS {wanted}) IS NOT NULL)"
    return not job.rows(f"SELECT 1 FROM {source} WHERE regexp_full_match({column}, '{NUMBER}') AND {misfit} LIMIT 1")


def may_be_number(example: str) -> bool:
    """Whether a text could be a number with separators, a currency or a decimal comma."""
    return bool(_LIKELY.fullmatch(example.strip()))


def otherwise(job: Job, source: str, column: str) -> Otherwise:
    """Look at all values of a column of texts. Where each comma may part thousands, it is no decimal comma."""
    ((rows, comma, clear, numbers),) = job.rows(
        f"SELECT count({column}), count_if(regexp_full_match({column}, '{_COMMA}')), "
        f"count_if(contains({column}, ',') AND NOT regexp_full_match({column}, '{_GROUPED}')), "
        f"""count_if(regexp_full_match({column}, '{_OTHERWISE.replace("'", "''")}')) FROM {source}"""
    )
    return Otherwise(comma=bool(clear) and comma == rows, numbers=bool(rows) and numbers == rows)


def comma_cast(column: str) -> str:
    """SQL that reads a text with a decimal comma."""
    return f"TRY_CAST(replace(replace({column}, '.', ''), ',', '.') AS DOUBLE)"
