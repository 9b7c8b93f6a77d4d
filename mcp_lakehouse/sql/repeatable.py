"""What a statement or a condition depends on, and whether it gives the same rows whenever it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

Node = dict[str, Any]
# What names columns without saying which.
_UNNAMED = ("STAR", "POSITIONAL_REFERENCE")
# The engine takes these for a function of what is written in parentheses; they read the clock (one form of `age`).
_OF_THE_CLOCK = frozenset(("age", "current_localtime", "current_localtimestamp"))
# What is written like a column and is a function, unless there is such a column (`GetSQLValueFunctionName`).
_LIKE_COLUMNS = frozenset(
    "current_catalog current_date current_role current_schema current_time current_timestamp current_user localtime "
    "localtimestamp session_user user".split()
)


def repeatable_functions(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The functions, in lower case, whose value depends on nothing but their arguments."""
    found = connection.execute(
        "SELECT function_name FROM duckdb_functions() WHERE function_type IN ('scalar', 'macro', 'aggregate', 'window')"
        " GROUP BY ALL HAVING bool_and(coalesce(stability, '') = 'CONSISTENT')"
    ).fetchall()
    return frozenset(name.lower() for (name,) in found) - _OF_THE_CLOCK


def columns_asked(tree: Node, columns: Mapping[str, str], functions: frozenset[str]) -> frozenset[str] | None:
    """The columns a condition's syntax tree names, where it depends on nothing but them and these functions; else None.

    `columns`: by their names in lower case; functions are in lower case too. Names such as `current_date` are
    written like columns, so every other one may change from call to call.
    """
    asked: set[str] = set()
    for node in _nodes(tree):
        if node.get("type") in ("BASE_TABLE", "TABLE_FUNCTION") or node.get("class") in ("PARAMETER", *_UNNAMED):
            return None
        if "function_name" in node and str(node["function_name"]).lower() not in functions:
            return None
        if node.get("class") == "COLUMN_REF":
            names = [str(name).lower() for name in node.get("column_names") or [""]]
            if names[-1] not in columns:
                return None
            # The name before it is the table's, or a column's that is a struct.
            asked |= {columns[name] for name in names if name in columns}
    return frozenset(asked)


def functions_asked(tree: Node) -> frozenset[str] | None:
    """The functions, in lower case, of a statement that depends on nothing else but its tables; else None."""
    asked: set[str] = set()
    for node in _nodes(tree):
        if node.get("type") in ("TABLE_FUNCTION", "SHOW_REF", "PIVOT") or node.get("class") == "PARAMETER":
            return None
        if node.get("sample"):
            return None
        if node.get("class") == "COLUMN_REF" and _LIKE_COLUMNS & {str(n).lower() for n in node.get("column_names", ())}:
            return None
        if "function_name" in node:
            asked.add(str(node["function_name"]).lower())
    return frozenset(asked)


def _nodes(tree: Node) -> Iterator[Node]:
    pending: list[object] = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            yield item
            pending.extend(item.values())
