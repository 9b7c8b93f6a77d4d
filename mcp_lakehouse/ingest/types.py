"""Types of columns on their way into a table: what is stored, and what two files or versions share.

Types travel as text, as DuckDB writes them. A column of which only nulls were seen has the type
`NULL`, which goes with anything and is stored as VARCHAR.
"""

from __future__ import annotations

from mcp_lakehouse.errors import SchemaMismatch
from mcp_lakehouse.table.evolution import common_type
from mcp_lakehouse.table.schema import storable_type
from mcp_lakehouse.table.types import parse_type

UTC_TIMESTAMP = "TIMESTAMP WITH TIME ZONE"
UNKNOWN = "NULL"
# What a user is told where a column's times were cut.
NANOSECONDS = "times are kept to the microsecond; what is finer was cut off"
_SHOWN_COLUMNS = 60


def quoted(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def stored(text: str) -> str:
    """The type that a column of this type is stored as, or `NULL`. Naive timestamps are taken as UTC."""
    return UNKNOWN if text.strip('"').upper() == UNKNOWN else storable_type(text)


def stored_final(text: str) -> str:
    """As `stored`, with VARCHAR where only nulls were ever seen."""
    return "VARCHAR" if stored(text) == UNKNOWN else stored(text)


def widen(old: str, new: str) -> str | None:
    """The narrowest type that holds every value of both without loss, or `None`.

    Integers grow; FLOAT grows to DOUBLE; an integer up to INTEGER fits DOUBLE; integers and decimals
    fit a decimal with room for all digits; DATE fits a timestamp; structs, lists and maps by part.
    Nothing is ever widened to VARCHAR: that would change what comparisons mean.
    """
    one, other = stored(old), stored(new)
    if UNKNOWN in (one, other):
        return other if one == UNKNOWN else one
    found = common_type(parse_type(one), parse_type(other))
    return None if found is None else str(found)


def merge_columns(
    old: list[tuple[str, str]], new: list[tuple[str, str]], exact: frozenset[str] = frozenset()
) -> list[tuple[str, str]]:
    """The columns of a dataset after rows with columns `new` joined those with columns `old`.

    `exact` names BIGINT columns whose values a DOUBLE holds exactly: they may become one.
    Names are compared without case and the old spelling wins; columns on one side only are nullable.
    Raises `SchemaMismatch` showing both sides where a type cannot be widened.
    """
    incoming = {name.casefold(): kind for name, kind in new}
    merged: list[tuple[str, str]] = []
    clashes: set[str] = set()
    for name, kind in old:
        other = incoming.get(name.casefold(), UNKNOWN)
        wide = other if name in exact and other == "DOUBLE" else widen(kind, other)
        if wide is None:
            clashes.add(name.casefold())
        merged.append((name, wide or kind))
    known = {name.casefold() for name, _ in old}
    merged.extend((name, kind) for name, kind in new if name.casefold() not in known)
    if clashes:
        raise SchemaMismatch(
            "the new data does not fit the dataset's columns (differing lines are marked !)\n"
            + side_by_side(old, new, clashes),
            hint="mend the marked columns in the source, load into another dataset, or replace this one "
            '(mode="replace")',
        )
    return merged


def side_by_side(old: list[tuple[str, str]], new: list[tuple[str, str]], clashes: set[str]) -> str:
    """Both schemas as a table; lines whose casefolded name is in `clashes` are marked, new columns too."""
    incoming = {name.casefold(): kind for name, kind in new}
    rows = [(name, kind, incoming.get(name.casefold(), "-")) for name, kind in old]
    known = {name.casefold() for name, _ in old}
    rows += [(name, "-", kind) for name, kind in new if name.casefold() not in known]
    if len(rows) > _SHOWN_COLUMNS:
        rows.sort(key=lambda row: row[0].casefold() not in clashes)
    shown = [("column", "dataset", "new data"), *rows[:_SHOWN_COLUMNS]]
    widths = [min(40, max(len(row[place]) for row in shown)) for place in range(2)]
    lines = []
    for name, kind, other in shown:
        mark = "!" if name.casefold() in clashes else "+" if kind == "-" else " "
        lines.append(f"{mark} {name:<{widths[0]}}  {kind:<{widths[1]}}  {other}")
    if len(rows) > _SHOWN_COLUMNS:
        lines.append(f"  … and {len(rows) - _SHOWN_COLUMNS} more columns")
    return "\n".join(lines)
