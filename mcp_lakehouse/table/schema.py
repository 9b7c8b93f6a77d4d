"""The log's schema and our columns, both ways.

The log knows fewer types than DuckDB. `storable_type` names the one that holds the same values; nothing
is mapped silently.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from mcp_lakehouse.errors import InvalidInput, UnsupportedLake
from mcp_lakehouse.table.types import Decimal, List, Map, Scalar, SqlType, Struct, parse_type
from mcp_lakehouse.table.values import TableColumn

_TO_LOG = {
    "BOOLEAN": "boolean",
    "TINYINT": "byte",
    "SMALLINT": "short",
    "INTEGER": "integer",
    "BIGINT": "long",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "BLOB": "binary",
    "DATE": "date",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "TIMESTAMP": "timestamp_ntz",
}
_FROM_LOG = {log: name for name, log in _TO_LOG.items()}
_LOG_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")
_STORABLE: dict[str, SqlType] = {
    "UTINYINT": Scalar("SMALLINT"),
    "USMALLINT": Scalar("INTEGER"),
    "UINTEGER": Scalar("BIGINT"),
    "UBIGINT": Decimal(20, 0),
    "HUGEINT": Decimal(38, 0),
    "TIMESTAMP": Scalar("TIMESTAMP WITH TIME ZONE"),
    "TIMESTAMP_S": Scalar("TIMESTAMP WITH TIME ZONE"),
    "TIMESTAMP_MS": Scalar("TIMESTAMP WITH TIME ZONE"),
    "TIMESTAMP_NS": Scalar("TIMESTAMP WITH TIME ZONE"),
}
NUMBERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE"})


def storable_type(text: str) -> str:
    """The nearest SQL type a table can hold, e.g. `UINTEGER[3]` -> `BIGINT[]`, `TIME` -> `VARCHAR`.

    Every value survives a cast to it, but for `HUGEINT` beyond 38 digits, and nanoseconds.
    """
    return str(_storable(parse_type(text)))


def schema_string(columns: Sequence[TableColumn]) -> str:
    """Columns as the log's `schemaString`. Raises `InvalidInput` for what a table cannot hold."""
    check_names([column.name for column in columns], "column")
    fields = []
    for column in columns:
        log_type = _to_log(parse_type(column.type), column)
        comment = {"comment": column.description} if column.description else {}
        fields.append({"name": column.name, "type": log_type, "nullable": column.nullable, "metadata": comment})
    return json.dumps({"type": "struct", "fields": fields}, ensure_ascii=False)


def columns_of(text: str) -> tuple[TableColumn, ...]:
    """The columns of a `schemaString`. Raises `UnsupportedLake` for types this version does not know."""
    try:
        fields = json.loads(text)["fields"]
        return tuple(
            TableColumn(
                field["name"],
                str(_from_log(field["type"])),
                bool(field["nullable"]),
                (field.get("metadata") or {}).get("comment"),
            )
            for field in fields
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnsupportedLake(
            f"the table's schema has a type this version does not know ({error})",
            hint="upgrade mcp-lakehouse, or rewrite that column with the engine that made it",
        ) from error


def check_names(names: Sequence[str], what: str) -> None:
    """Refuse names that the log could not be read with again. Raises `InvalidInput`."""
    seen: dict[str, str] = {}
    if not names:
        raise InvalidInput(f"there is no {what}", hint="a table needs at least one column, a struct one field")
    for name in names:
        if not name or "\0" in name:
            raise InvalidInput(f"a {what} has no usable name: {name!r}", hint=f"give every {what} a name")
        if name.lower() in seen:
            raise InvalidInput(
                f"{what} names {seen[name.lower()]!r} and {name!r} differ by case at most", hint="rename one of them"
            )
        seen[name.lower()] = name


def _to_log(type_: SqlType, column: TableColumn) -> str | dict[str, Any]:
    match type_:
        case Scalar(name) if name in _TO_LOG:
            return _TO_LOG[name]
        case Decimal(precision, scale) if 1 <= precision <= 38 and scale <= precision:
            return f"decimal({precision},{scale})"
        case List(element, None):
            return {"type": "array", "elementType": _to_log(element, column), "containsNull": True}
        case Map(key, value):
            key_type, value_type = _to_log(key, column), _to_log(value, column)
            return {"type": "map", "keyType": key_type, "valueType": value_type, "valueContainsNull": True}
        case Struct(fields):
            check_names([name for name, _ in fields], f"field of column {column.name!r}")
            members = [
                {"name": name, "type": _to_log(member, column), "nullable": True, "metadata": {}}
                for name, member in fields
            ]
            return {"type": "struct", "fields": members}
    raise InvalidInput(
        f"column {column.name!r} is {column.type}, which a table cannot hold",
        hint=f"cast it to {storable_type(column.type)}",
    )


def _from_log(log_type: str | dict[str, Any]) -> SqlType:
    if isinstance(log_type, str):
        decimal = _LOG_DECIMAL.fullmatch(log_type)
        return Decimal(int(decimal[1]), int(decimal[2])) if decimal else Scalar(_FROM_LOG[log_type])
    if log_type["type"] == "array":
        return List(_from_log(log_type["elementType"]))
    if log_type["type"] == "map":
        return Map(_from_log(log_type["keyType"]), _from_log(log_type["valueType"]))
    if log_type["type"] == "struct":
        return Struct(tuple((field["name"], _from_log(field["type"])) for field in log_type["fields"]))
    raise KeyError(log_type["type"])


def _storable(type_: SqlType) -> SqlType:
    match type_:
        case List(element):
            return List(_storable(element))
        case Map(key, value):
            return Map(_storable(key), _storable(value))
        case Struct(fields):
            return Struct(tuple((name, _storable(member)) for name, member in fields))
        case Scalar(name) if name not in _TO_LOG or name in _STORABLE:
            return _STORABLE.get(name, Scalar("VARCHAR"))
    return type_
