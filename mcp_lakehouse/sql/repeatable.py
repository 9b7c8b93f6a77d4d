"""Whether a condition gives the same rows of a version whenever it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]


def is_repeatable(tree: Node, columns: frozenset[str], functions: frozenset[str]) -> bool:
    """True where a syntax tree names nothing but these columns and functions (both in lower case).

    Names such as `current_date` are written like columns, so every other one may change from call to call.
    """
    for node in _nodes(tree):
        if node.get("type") in ("BASE_TABLE", "TABLE_FUNCTION") or node.get("class") == "PARAMETER":
            return False
        if "function_name" in node and str(node["function_name"]).lower() not in functions:
            return False
        names = node.get("column_names")
        if node.get("class") == "COLUMN_REF" and not (names and str(names[-1]).lower() in columns):
            return False
    return True


def _nodes(tree: Node) -> Iterator[Node]:
    pending: list[object] = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            yield item
            pending.extend(item.values())
