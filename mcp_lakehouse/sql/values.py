"""Engine values as JSON: exact, within what JSON readers can hold, each column's SQL type beside.

Rules: booleans, text, and numbers that every JSON reader holds exactly stay themselves; integers
beyond 2^53-1 (I-JSON, RFC 7493 §2.2), DECIMAL and everything else (dates, times, intervals, blobs,
bits, UUIDs, variants) are the engine's own text for the value, which casts back; NaN and the
infinities are "NaN", "Infinity", "-Infinity"; lists and arrays are arrays, structs and maps objects.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mcp_lakehouse.records import Json

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from duckdb.sqltypes import DuckDBPyType

_EXACT = 2**53 - 1
_INTEGERS = frozenset("tinyint smallint integer bigint utinyint usmallint uinteger ubigint".split())
_PLAIN = _INTEGERS | {"boolean", "float", "double", "varchar"}
_HUGE = frozenset(("hugeint", "uhugeint"))

Convert = Callable[[object], Json]


def wire_type(type_: DuckDBPyType) -> str:
    """The SQL type to cast a value to before it leaves the engine; equal to its own where no cast is needed."""
    kind = type_.id
    if kind in _PLAIN:
        return str(type_)
    if kind == "list":
        return f"{wire_type(_child(type_))}[]"
    if kind == "array":
        return f"{wire_type(_child(type_))}[]"
    if kind == "struct":
        fields = ", ".join(f"{quote(name)} {wire_type(field)}" for name, field in _parts(type_))
        return f"STRUCT({fields})"
    if kind == "map":
        (_, key), (_, value) = _parts(type_)
        return f"MAP({wire_type(key)}, {wire_type(value)})"
    return "VARCHAR"


def converter(type_: DuckDBPyType) -> Convert:
    """A function from a Python value of the wire type to JSON."""
    kind = type_.id
    if kind in _INTEGERS or kind in _HUGE:
        return _integer
    if kind in ("float", "double"):
        return _number
    if kind in ("list", "array"):
        item = converter(_child(type_))
        return lambda value: None if value is None else [item(each) for each in _sequence(value)]
    if kind == "struct":
        fields = {name: converter(field) for name, field in _parts(type_)}
        return lambda value: None if value is None else {k: fields[k](v) for k, v in _mapping(value).items()}
    if kind == "map":
        _, (_, value_type) = _parts(type_)
        entry = converter(value_type)
        return lambda value: None if value is None else {_key(k): entry(v) for k, v in _pairs(value)}
    return _text


def json_rows(con: duckdb.DuckDBPyConnection, table: pa.Table, types: Sequence[DuckDBPyType]) -> list[list[Json]]:
    """The rows of an Arrow table (lossless conversion, columns in the order of `types`) as JSON values."""
    columns: list[list[Json] | None] = []
    for type_, column in zip(types, table.columns, strict=True):
        columns.append(_at_once(type_, column))
    left = [index for index, values in enumerate(columns) if values is None]
    if left:
        for index, values in zip(left, _by_casting(con, table.select(left), [types[i] for i in left]), strict=True):
            columns[index] = values
    return [list(row) for row in zip(*(values for values in columns if values is not None), strict=True)]


def _at_once(type_: DuckDBPyType, column: pa.ChunkedArray) -> list[Json] | None:
    """The values of the common types, without a statement of their own; `None` for all others."""
    kind = type_.id
    if wire_type(type_) == str(type_):
        convert = converter(type_)
        return [convert(value) for value in column.to_pylist()]
    if kind == "decimal":
        return [None if value is None else format(value, "f") for value in column.to_pylist()]
    if kind == "hugeint":
        return [
            None if value is None else _integer(int.from_bytes(value, "little", signed=True))
            for value in column.to_pylist()
        ]
    if kind in _ORDINARY:
        unit, zone = _ORDINARY[kind]
        numbers = column.cast("int32" if unit is None else "int64").to_pylist()
        least, greatest = _DAYS if unit is None else _MICROSECONDS
        if all(number is None or least <= number <= greatest for number in numbers):
            return [None if number is None else _moment(number, unit, zone) for number in numbers]
    return None


# Days or microseconds since 1970 that Python's calendar has; beyond lie years above 9999, BC and the infinities.
_DAYS = (-719_162, 2_932_896)
_MICROSECONDS = (-62_135_596_800_000_000, 253_402_300_799_999_999)
# Type to (unit, zone as written); dates have neither.
_ORDINARY: Mapping[str, tuple[str | None, str]] = {
    "date": (None, ""),
    "timestamp": ("us", ""),
    "timestamp with time zone": ("us", "+00"),
}
_EPOCH = datetime(1970, 1, 1)


def _moment(number: int, unit: str | None, zone: str) -> str:
    """As the engine writes it: `2026-01-31`, `2026-01-31 12:00:00.5+00`."""
    if unit is None:
        return (_EPOCH + timedelta(days=number)).date().isoformat()
    moment = _EPOCH + timedelta(microseconds=number)
    fraction = f".{moment.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{moment:%H:%M:%S}".join((moment.date().isoformat() + " ", fraction + zone))


def _by_casting(con: duckdb.DuckDBPyConnection, table: pa.Table, types: Sequence[DuckDBPyType]) -> list[list[Json]]:
    """Columns as the engine's own text for their values."""
    # Positional names: a result may name two columns alike.
    con.register("wire", table.rename_columns([f"c{i}" for i in range(len(types))]))
    try:
        casts = ", ".join(f"CAST(c{i} AS {wire_type(type_)}) AS c{i}" for i, type_ in enumerate(types))
        cast = con.sql(f"SELECT {casts} FROM wire").to_arrow_table()
    finally:
        con.unregister("wire")
    columns = []
    for type_, column in zip(types, cast.columns, strict=True):
        convert = converter(type_)
        columns.append([convert(value) for value in column.to_pylist()])
    return columns


def quote(identifier: str) -> str:
    """An SQL identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(value: str | int | bool | list[str]) -> str:
    """A value as an SQL literal."""
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).lower()


def _parts(type_: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    """The types inside a nested type by name; an array's length is left out."""
    return [(name, part) for name, part in type_.children if not isinstance(part, (int, list))]


def _child(type_: DuckDBPyType) -> DuckDBPyType:
    return dict(_parts(type_))["child"]


def _integer(value: object) -> Json:
    if value is None:
        return None
    number = int(str(value))
    return number if -_EXACT <= number <= _EXACT else str(number)


def _number(value: object) -> Json:
    if not isinstance(value, float) or math.isfinite(value):
        return value  # type: ignore[return-value]  # None, or a finite float
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _text(value: object) -> Json:
    return value if value is None or isinstance(value, (bool, str)) else str(value)


def _key(value: object) -> str:
    return value if isinstance(value, str) else str(value)


def _sequence(value: object) -> Sequence[object]:
    return value  # type: ignore[return-value]  # Arrow lists come as Python lists


def _mapping(value: object) -> dict[str, object]:
    return value  # type: ignore[return-value]  # Arrow structs come as dicts


def _pairs(value: object) -> Sequence[tuple[object, object]]:
    return value  # type: ignore[return-value]  # Arrow maps come as lists of pairs
