"""How a table's columns may grow: new nullable columns and fields, and widenings that lose no value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcp_lakehouse.errors import SchemaMismatch
from mcp_lakehouse.table.types import Decimal, List, Map, Scalar, SqlType, Struct, parse_type
from mcp_lakehouse.table.values import DataFile, TableColumn

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_INTEGER_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}
# The type that holds every value of both; BIGINT and DOUBLE have none.
_WIDER = {
    ("TINYINT", "FLOAT"): "FLOAT",
    ("SMALLINT", "FLOAT"): "FLOAT",
    ("INTEGER", "FLOAT"): "DOUBLE",
    ("TINYINT", "DOUBLE"): "DOUBLE",
    ("SMALLINT", "DOUBLE"): "DOUBLE",
    ("INTEGER", "DOUBLE"): "DOUBLE",
    ("FLOAT", "DOUBLE"): "DOUBLE",
    # Midnight in UTC, which is what other engines read too.
    ("DATE", "TIMESTAMP WITH TIME ZONE"): "TIMESTAMP WITH TIME ZONE",
}
_DECIMAL_DIGITS = 38
_SHOWN = 50


# Every integer up to here is a DOUBLE exactly (IEEE 754 binary64 has 53 bits of significand).
_EXACT = 2**53


def exact_in_double(columns: Sequence[TableColumn], files: Iterable[DataFile]) -> frozenset[str]:
    """The BIGINT columns of which the files' statistics prove that no value would change as a DOUBLE."""
    candidates = {column.name for column in columns if column.type == "BIGINT"}
    for file in files:
        candidates = {name for name in candidates if _is_exact(file, name)}
    return frozenset(candidates)


def _is_exact(file: DataFile, name: str) -> bool:
    known = file.statistics.get(name, {})
    least, greatest = known.get("min"), known.get("max")
    if isinstance(least, int) and isinstance(greatest, int):
        return least >= -_EXACT and greatest <= _EXACT
    return known.get("nulls") == file.rows


def evolve(
    current: Sequence[TableColumn], incoming: Sequence[TableColumn], exact: frozenset[str] = frozenset()
) -> tuple[TableColumn, ...]:
    """The columns that hold both: `current` in its order, then what is new.

    `exact` names BIGINT columns that may become DOUBLE (see `exact_in_double`).
    A column that is missing or nullable on either side is nullable. Raises `SchemaMismatch`, showing both
    schemas, where a type would lose values or a name differs by case only.
    """
    offered = {column.name: column for column in incoming}
    spelled = {column.name.lower(): column.name for column in current}
    problems = [
        f"column {column.name!r} is spelled {spelled[column.name.lower()]!r} in the table"
        for column in incoming
        if spelled.get(column.name.lower(), column.name) != column.name
    ]
    merged: list[TableColumn] = []
    for column in current:
        other = offered.pop(column.name, None)
        if other is None:
            merged.append(TableColumn(column.name, column.type, True, column.description))
            continue
        held = "INTEGER" if column.name in exact and other.type == "DOUBLE" else column.type
        wide = common_type(parse_type(held), parse_type(other.type))
        if wide is None:
            problems.append(f"column {column.name!r} is {column.type} in the table and {other.type} in the new data")
            continue
        nullable = column.nullable or other.nullable
        merged.append(TableColumn(column.name, str(wide), nullable, other.description or column.description))
    if problems:
        raise SchemaMismatch(
            f"the new data does not fit: {'; '.join(problems[:_SHOWN])}\n"
            f"table: {_shown(current)}\nnew data: {_shown(incoming)}",
            hint="cast the columns in the source, load it into another dataset, or replace the dataset",
        )
    merged += [TableColumn(column.name, column.type, True, column.description) for column in offered.values()]
    return tuple(merged)


def common_type(one: SqlType, other: SqlType) -> SqlType | None:
    """The smallest type that holds every value of both, or `None`."""
    match one, other:
        case (Scalar(), Scalar()) | (Decimal(), Decimal()) if one == other:
            return one
        case Scalar(left), Scalar(right):
            if left in _INTEGERS and right in _INTEGERS:
                return Scalar(max(left, right, key=_INTEGERS.index))
            name = _WIDER.get((left, right)) or _WIDER.get((right, left))
            return Scalar(name) if name else None
        case Decimal(), Decimal():
            return _common_decimal(one, other)
        case (Decimal() as decimal, Scalar(name)) | (Scalar(name), Decimal() as decimal) if name in _INTEGER_DIGITS:
            return _common_decimal(decimal, Decimal(_INTEGER_DIGITS[name], 0))
        case List(left_element), List(right_element):
            element = common_type(left_element, right_element)
            return None if element is None else List(element)
        case Map(left_key, left_value), Map(right_key, right_value):
            key, value = common_type(left_key, right_key), common_type(left_value, right_value)
            return None if key is None or value is None else Map(key, value)
        case Struct(), Struct():
            return _common_struct(one, other)
    return None


def _common_decimal(one: Decimal, other: Decimal) -> Decimal | None:
    scale = max(one.scale, other.scale)
    precision = max(one.precision - one.scale, other.precision - other.scale) + scale
    return Decimal(precision, scale) if precision <= _DECIMAL_DIGITS else None


def _common_struct(one: Struct, other: Struct) -> Struct | None:
    offered = dict(other.fields)
    fields: list[tuple[str, SqlType]] = []
    for name, type_ in one.fields:
        wide = common_type(type_, offered.pop(name)) if name in offered else type_
        if wide is None:
            return None
        fields.append((name, wide))
    known = {name.lower() for name, _ in fields}
    if any(name.lower() in known for name in offered):
        return None
    return Struct((*fields, *offered.items()))


def _shown(columns: Sequence[TableColumn]) -> str:
    more = f", … {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return ", ".join(f"{column.name} {column.type}" for column in columns[:_SHOWN]) + more
