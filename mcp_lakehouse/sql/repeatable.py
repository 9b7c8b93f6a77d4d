"""What a condition depends on, and whether it holds for the same rows of a version whenever it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Node = dict[str, Any]
# What names columns without saying which.
_UNNAMED = ("STAR", "POSITIONAL_REFERENCE")


def columns_asked(tree: Node, columns: Mapping[str, str], functions: frozenset[str]) -> frozenset[str] | None:
    """The columns a syntax tree names, where it depends on nothing but them and these functions; else None.

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


def _nodes(tree: Node) -> Iterator[Node]:
    pending: list[object] = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            yield item
            pending.extend(item.values())
