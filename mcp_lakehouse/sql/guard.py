"""The wall a statement passes before it runs: one read-only statement, every node of its syntax tree known.

The tree is what DuckDB's own parser made (`json_serialize_sql`), walked against allow-lists: a node
type, function or table function that is not listed is refused, so a new engine version can add
nothing unseen. Text is never matched to decide safety. The same walk collects the tables a
statement names and rewrites the few forms that the engine itself cannot resolve:
`t AT (VERSION => n)`, `changes('t', n, m)`, `system.x`, `information_schema.tables|columns`, `SHOW TABLES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from mcp_lakehouse.errors import InvalidInput, StatementRefused
from mcp_lakehouse.sql.pivot import with_static_lists
from mcp_lakehouse.sql.repeatable import functions_asked

Node = dict[str, Any]

# Where the engine keeps the datasets of schema `system`, whose own name DuckDB reserves for a catalog.
SYSTEM_SCHEMA = "lake_system"
RESULT_PREFIX = "lakehouse://results/"
# The unit of a `TableName` for what `changes('t', 3, 5)` shows: at "3-5".
CHANGES_UNIT = "c"
_VERSION_DIGITS = 18

_EXPRESSIONS = frozenset(
    "COLUMN_REF CONJUNCTION COMPARISON CONSTANT OPERATOR CAST TYPE STAR FUNCTION LAMBDA WINDOW CASE BETWEEN "
    "SUBQUERY COLLATE POSITIONAL_REFERENCE PARAMETER DEFAULT".split()
)
_QUERY_NODES = frozenset("SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE CTE_NODE".split())
_TABLE_NODES = frozenset("EMPTY EXPRESSION_LIST SUBQUERY BASE_TABLE PIVOT SHOW_REF JOIN TABLE_FUNCTION".split())
_MODIFIERS = frozenset(
    "ORDER_MODIFIER DISTINCT_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER ORDER_DEFAULT ASCENDING DESCENDING".split()
)
_KNOWN_TYPES = _QUERY_NODES | _TABLE_NODES | _MODIFIERS
_TABLE_FUNCTIONS = frozenset(
    "range generate_series unnest repeat repeat_row json_each json_tree icu_calendar_names pg_timezone_names "
    "regexp_split_to_table".split()
)
_READ_HINT = "send one SELECT (or WITH, FROM, VALUES, PIVOT, DESCRIBE, SUMMARIZE, SHOW TABLES, EXPLAIN) statement"
_OPTION = r"(?:analyze|format\s+(?:json|text|html|graphviz|yaml|mermaid))"
_EXPLAIN = re.compile(
    rf"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*explain\b\s*(?P<options>analyze\b|\(\s*{_OPTION}(?:\s*,\s*{_OPTION})*\s*\))?",
    re.IGNORECASE | re.DOTALL,
)
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_RESULT_ID = re.compile(r"[0-9a-f]{32}")
_ADMINISTRATIVE = re.compile(r"copy|attach|install|load|secret|pragma|set|reset|call|create|drop|insert|update|delete")


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table a statement names: `schema` is "" for datasets, "system", or "result"; `at` is a version or time."""

    schema: str
    name: str
    at_unit: str = ""
    at: str = ""

    @property
    def view(self) -> str:
        """The view the engine must hold under this name (in its schema) when the statement runs."""
        if self.schema == "result":
            return f"result_{self.name}"
        return f"{self.name}@{self.at_unit}{self.at}" if self.at_unit else self.name


@dataclass(frozen=True, slots=True)
class Checked:
    """A statement that may run: its text for the engine and the tables it names (CTE names included).

    `functions`: what it computes with, where its rows depend on nothing else but what the tables hold.
    """

    text: str
    tables: tuple[TableName, ...]
    local_names: frozenset[str]
    verb: str
    functions: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Parser:
    """The engine's own parser, handed in: statement types, syntax tree, tree to text, token starts."""

    types: Callable[[str], list[str]]
    tree: Callable[[str], Node]
    text: Callable[[Node], str]
    tokens: Callable[[str], list[tuple[int, str]]]


def check(statement: str, parser: Parser, *, max_chars: int) -> Checked:
    """Let a statement pass or raise.

    Raises `StatementRefused` for what readers may not do, `InvalidInput` for text that can be no
    statement, and whatever the parser raises for text that is not SQL.
    """
    _check_text(statement, max_chars)
    types = parser.types(statement)
    if len(types) != 1:
        what = "no statement" if not types else f"{len(types)} statements"
        raise StatementRefused(f"the text holds {what}", hint=_READ_HINT)
    if types[0] == "EXPLAIN":
        return _check_explain(statement, parser, max_chars)
    if types[0] == "MULTI":
        return _check_dynamic_pivot(statement, parser)
    if types[0] != "SELECT":
        raise StatementRefused(
            f"{types[0]} statements change state or read outside the lake; sql only reads datasets",
            hint=f"{_READ_HINT}; data comes in through the ingest tool",
        )
    return _check_select(statement, parser)[0]


def _check_text(statement: str, max_chars: int) -> None:
    if len(statement) > max_chars:
        raise InvalidInput(
            f"the statement has {len(statement):,} characters; the limit is {max_chars:,}",
            hint="put the data into a dataset (ingest) or into params, and join it",
        )
    if "\0" in statement:
        raise InvalidInput("the statement contains a NUL character", hint="remove it")
    if _HALF_CHARACTER.search(statement):
        raise InvalidInput("the statement contains half of a surrogate pair", hint="send whole Unicode characters")


def check_condition(condition: str, parser: Parser, *, max_chars: int) -> tuple[Checked, Node]:
    """Let the text of a WHERE clause pass, as an expression in parentheses, or raise as `check` does.

    `text` of the answer can stand after any `WHERE`: the condition is one expression whatever follows it. Its
    syntax tree comes beside.
    """
    # The line break ends a comment, the parentheses keep the condition one expression.
    statement = f"SELECT (\n{condition}\n)"
    _check_text(statement, max_chars + 16)
    if parser.types(statement) != ["SELECT"]:
        raise _no_condition()
    checked, tree = _check_select(statement, parser)
    nodes = [each["node"] for each in tree.get("statements", [])]
    if (
        len(nodes) != 1
        or nodes[0].get("type") != "SELECT_NODE"
        or len(nodes[0].get("select_list", [])) != 1
        # Nothing, or several values, in parentheses.
        or nodes[0]["select_list"][0].get("function_name") == "row"
        or nodes[0].get("from_table", {}).get("type") != "EMPTY"
        or nodes[0].get("modifiers")
        or any(nodes[0].get(part) for part in ("where_clause", "having", "qualify", "group_expressions"))
        or nodes[0].get("cte_map", {}).get("map")
    ):
        raise _no_condition()
    text = checked.text.strip().removeprefix("SELECT")
    return Checked(text, checked.tables, checked.local_names, "WHERE"), tree


def _no_condition() -> StatementRefused:
    return StatementRefused(
        "where is not one condition", hint="write what would stand after WHERE, such as: state = 'IL' AND rate < 30"
    )


def _check_select(statement: str, parser: Parser) -> tuple[Checked, Node]:
    walk = _Walk(parser)
    tree = parser.tree(statement)
    functions = functions_asked(tree)
    walk.visit(tree)
    text = _printed(tree, parser) if walk.rewritten else statement
    return Checked(text, tuple(sorted(walk.tables)), frozenset(walk.local_names), "SELECT", functions), tree


def _printed(tree: Node, parser: Parser) -> str:
    """A rewritten tree as text, once it is sure that the text names no function or table that the tree does not.

    A name that the engine prints with a quote missing would otherwise end early and run on as SQL.
    """
    text = parser.text(tree)
    if not _names(parser.tree(text)) <= _names(tree):
        raise StatementRefused("the statement cannot be rewritten faithfully", hint="use plainer names and aliases")
    return text


def _names(tree: Node) -> set[tuple[str, ...]]:
    """Every function and table a tree names."""
    found: set[tuple[str, ...]] = set()
    pending: list[object] = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            pending.extend(item.values())
            if "function_name" in item:
                found.add(("function", str(item["function_name"]).lower()))
            elif "table_name" in item:
                place = (item.get("catalog_name"), item.get("schema_name"), item["table_name"])
                found.add(("table", *(str(part or "") for part in place)))
    return found


def _check_explain(statement: str, parser: Parser, max_chars: int) -> Checked:
    prefix = _EXPLAIN.match(statement)
    if prefix is None:
        raise StatementRefused(
            "this form of EXPLAIN is not allowed", hint="use EXPLAIN or EXPLAIN ANALYZE and a SELECT"
        )
    inner = check(statement[prefix.end() :], parser, max_chars=max_chars)
    if inner.verb != "SELECT":
        raise StatementRefused("EXPLAIN of EXPLAIN is not allowed", hint="explain the SELECT itself")
    verb = " ".join(["EXPLAIN", *(prefix["options"] or "").split()])
    return Checked(f"{verb} {inner.text}", inner.tables, inner.local_names, "EXPLAIN")


def _check_dynamic_pivot(statement: str, parser: Parser) -> Checked:
    """A PIVOT without IN lists is no single tree: check the same statement with IN lists put in.

    It differs from the original only by constants, so what passes there passes here.
    """
    static = with_static_lists(statement, parser.tokens(statement))
    explain = _EXPLAIN.match(static)
    body = static[explain.end() :] if explain else static
    if parser.types(body) != ["SELECT"]:
        raise StatementRefused("only one read-only statement may run", hint=_READ_HINT)
    walk = _Walk(parser)
    walk.visit(parser.tree(body))
    # result() is a macro of the engine's as well, so it needs no rewriting here.
    if walk.must_rewrite:
        raise StatementRefused(
            "a PIVOT without an IN list cannot name system datasets or old versions",
            hint="give the values: PIVOT t ON c IN ('a', 'b') USING …",
        )
    verb = "EXPLAIN" if explain else "PIVOT"
    return Checked(statement, tuple(sorted(walk.tables)), frozenset(walk.local_names), verb)


class _Walk:
    """One pass over a tree: refuses, collects, rewrites in place."""

    def __init__(self, parser: Parser) -> None:
        self.tables: set[TableName] = set()
        self.local_names: set[str] = set()
        self.rewritten = False
        self.must_rewrite = False
        self._parser = parser

    def visit(self, value: object) -> None:
        """Check a value of the tree and all below it (iterative: a deep tree must not exhaust the stack)."""
        pending: list[object] = [value]
        while pending:
            item = pending.pop()
            if isinstance(item, list):
                pending.extend(item)
            elif isinstance(item, dict) and not self._node(item):
                pending.extend(item.values())

    def _node(self, node: Node) -> bool:
        """Check one node; True when it was replaced by one of ours, which is not looked into."""
        kind, kind_class = node.get("type"), node.get("class")
        if kind_class is not None:
            if kind_class not in _EXPRESSIONS:
                raise _unknown(f"expression {kind_class}")
            if "function_name" in node:
                self._function(node)
            elif kind_class == "COLUMN_REF":
                self._column(node)
        elif isinstance(kind, str):
            if kind not in _KNOWN_TYPES:
                raise _unknown(kind)
            if kind == "BASE_TABLE":
                self._table(node)
                return bool(node["type"] != "BASE_TABLE")
            if kind == "TABLE_FUNCTION":
                self._table_function(node)
                return bool(node["type"] != "TABLE_FUNCTION")
            if kind == "SHOW_REF":
                self._show(node)
                return bool(node["type"] != "SHOW_REF")
        if "cte_map" in node:
            self.local_names.update(_folded(str(entry["key"])) for entry in node["cte_map"]["map"])
        if "cte_name" in node:
            self.local_names.add(_folded(str(node["cte_name"])))
        return False

    def _function(self, node: Node) -> None:
        name = str(node["function_name"]).lower()
        qualifiers = [part for part in (node.get("catalog"), node.get("schema")) if part]
        if any(part.lower() not in ("main", "pg_catalog") for part in qualifiers) or name not in allowed_functions():
            raise StatementRefused(
                f"function {name}() is not available here",
                hint=_closest(name)
                or "only functions that compute on values of the datasets are; no files, no settings",
            )

    def _column(self, node: Node) -> None:
        names = node.get("column_names")
        # system.datasets.name: the table is aliased to its own name, so its qualifier must go.
        if isinstance(names, list) and len(names) > 2 and str(names[0]).lower() == "system":
            node["column_names"] = names[1:]
            if "qualified_name" in node:
                node["qualified_name"] = {"path": names[1:]}
            self.rewritten = self.must_rewrite = True

    def _table(self, node: Node) -> None:
        path = [part for part in (node.get("catalog_name"), node.get("schema_name")) if part]
        path = [str(part).lower() for part in path]
        name = str(node["table_name"])
        at = node.get("at_clause")
        if path in ([], ["main"]):
            if at:
                unit, value = _at_value(at)
                table = TableName("", _folded(name), unit, value)
                self._point(node, None, table.view, name)
                node["at_clause"] = None
            else:
                table = TableName("", _folded(name))
            self.tables.add(table)
        elif path == ["recurring"] and not at and name.isidentifier():
            # The rows so far of a WITH RECURSIVE ... USING KEY query; elsewhere the engine knows no such schema.
            return
        elif path == ["system"] and not at:
            table = TableName("system", name.lower())
            self.tables.add(table)
            self._point(node, SYSTEM_SCHEMA, name, name)
        elif path == ["information_schema"] and name.lower() in _INFORMATION_SCHEMA and not at:
            self._replace(node, _INFORMATION_SCHEMA[name.lower()], name)
        else:
            raise StatementRefused(
                f"schema {'.'.join(path)!r} is not available here",
                hint="datasets have no schema; what the lake knows of itself is in schema system: "
                "system.datasets, system.columns, system.versions",
            )

    def _table_function(self, node: Node) -> None:
        function = node["function"]
        name = str(function.get("function_name", "")).lower()
        if function.get("class") != "FUNCTION":
            raise _unknown("table function form")
        if name in ("result", "changes") and not function.get("schema") and not function.get("catalog"):
            table = TableName("result", _result_id(function)) if name == "result" else _changes(function)
            self.tables.add(table)
            alias, columns = node["alias"], node.get("column_name_alias")
            sample = node.get("sample")
            view = table.view.replace('"', '""')
            self._replace(node, f'FROM "{view}"', alias or name, whole=False)
            node["column_name_alias"] = columns or []
            node["sample"] = sample
            # The engine has a macro for the one, in statements that cannot be rewritten, and nothing for the other.
            self.must_rewrite = self.must_rewrite or name == "changes"
            return
        if name not in _TABLE_FUNCTIONS or function.get("schema") or function.get("catalog"):
            raise StatementRefused(
                f"table function {name}() is not available here",
                hint="name datasets directly (SHOW TABLES lists them); files come in through the ingest tool",
            )
        # The function node itself is visited next as an expression; a table function passes there by this list.
        function["class"], function["type"] = "FUNCTION", "FUNCTION"

    def _show(self, node: Node) -> None:
        if node.get("query"):
            return
        if node.get("show_type") == "SHOW" and not node.get("schema_name") and not node.get("catalog_name"):
            # SHOW name falls back to a setting where there is no such table; DESCRIBE does not.
            name = str(node["table_name"]).replace('"', '""')
            described = self._parser.tree(f'DESCRIBE "{name}"')["statements"][0]["node"]["from_table"]
            node.clear()
            node.update(described)
            self.rewritten = True
            return
        if node.get("show_type") == "SHOW_SPECIAL" and node.get("table_name") in ('"tables"', "__show_tables_expanded"):
            self._replace(node, f"FROM (SELECT name FROM {SYSTEM_SCHEMA}.datasets ORDER BY name)", "tables")
            return
        if node.get("show_type") == "SHOW_FROM" and str(node.get("schema_name")).lower() == "system":
            names = ", ".join(f"('{name}')" for name in SYSTEM_DATASETS)
            self._replace(node, f"FROM (SELECT * FROM (VALUES {names}) v(name))", "tables")
            return
        raise StatementRefused("this form of SHOW is not available here", hint="use SHOW TABLES, or DESCRIBE dataset")

    def _point(self, node: Node, schema: str | None, table: str, alias: str) -> None:
        node["catalog_name"], node["schema_name"], node["table_name"] = "", schema or "", table
        node["qualified_name"] = {"path": [schema, table] if schema else [table]}
        node["alias"] = node["alias"] or alias
        self.rewritten = self.must_rewrite = True

    def _replace(self, node: Node, from_clause: str, alias: str, *, whole: bool = True) -> None:
        """Put a table expression of our own in a node's place; `whole` also names the tables it uses."""
        replacement = self._parser.tree(from_clause)["statements"][0]["node"]["from_table"]
        kept_alias = node.get("alias") or alias
        node.clear()
        node.update(replacement)
        node["alias"] = kept_alias
        if whole:
            self.tables.update(
                TableName("system", name) for name in SYSTEM_DATASETS if f"{SYSTEM_SCHEMA}.{name}" in from_clause
            )
        self.rewritten = True
        self.must_rewrite = self.must_rewrite or whole


SYSTEM_DATASETS = (
    "columns", "datasets", "errors", "generations", "operations", "rejects", "spans", "trials", "versions",
)  # fmt: skip

_INFORMATION_SCHEMA = {
    "tables": (
        "FROM (SELECT 'lake' AS table_catalog, 'main' AS table_schema, name AS table_name, "
        f"'BASE TABLE' AS table_type, description AS table_comment FROM {SYSTEM_SCHEMA}.datasets)"
    ),
    "columns": (
        "FROM (SELECT 'lake' AS table_catalog, 'main' AS table_schema, dataset AS table_name, "
        "name AS column_name, position AS ordinal_position, nullable AS is_nullable, type AS data_type "
        f"FROM {SYSTEM_SCHEMA}.columns)"
    ),
}


@cache
def allowed_functions() -> frozenset[str]:
    """Scalar, aggregate, macro and window functions that compute on values only, reviewed by hand."""
    listed = files("mcp_lakehouse.sql").joinpath("functions.txt").read_text(encoding="utf-8")
    return frozenset(listed.split("\n")) - {""} | _TABLE_FUNCTIONS


def _folded(name: str) -> str:
    """A name as the engine compares it: without regard to case in ASCII only."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _at_value(at: Node) -> tuple[str, str]:
    """The unit (`v` or `t`) and value of an AT clause, which must be a constant."""
    expression = at["expr"]
    while expression.get("class") == "CAST":
        expression = expression["child"]
    if expression.get("class") != "CONSTANT":
        raise StatementRefused(
            "AT takes a constant", hint="write AT (VERSION => 3) or AT (TIMESTAMP => '2026-01-31 12:00')"
        )
    literal = expression.get("literal") or {}
    value = str(literal.get("text", ""))
    if at["unit"].upper() == "VERSION" and value.isdigit():
        return "v", str(int(value))
    if at["unit"].upper() == "TIMESTAMP" and value:
        return "t", value
    raise StatementRefused("AT takes a version number or a timestamp", hint="write AT (VERSION => 3)")


def _result_id(function: Node) -> str:
    arguments = function.get("arguments") or []
    text = _constant(arguments[0].get("expression", {})) if len(arguments) == 1 else ""
    identifier = text.removeprefix(RESULT_PREFIX)
    if not _RESULT_ID.fullmatch(identifier):
        raise StatementRefused(
            "result() takes one result URI as a text constant",
            hint=f"write FROM result('{RESULT_PREFIX}…') with a result_uri that sql returned",
        )
    return identifier


def _changes(function: Node) -> TableName:
    values = [_constant(argument.get("expression", {})) for argument in function.get("arguments") or []]
    versions = all(value.isdecimal() and len(value) <= _VERSION_DIGITS for value in values[1:])
    if len(values) not in (2, 3) or not values[0] or not versions:
        raise StatementRefused(
            "changes() takes a dataset's name and two versions as constants",
            hint="write FROM changes('dataset', 3, 5), or changes('dataset', 3) up to the newest version",
        )
    first, last = int(values[1]), str(int(values[2])) if len(values) > 2 else ""
    return TableName("", _folded(values[0]), CHANGES_UNIT, f"{first}-{last}")


def _constant(expression: Node) -> str:
    """The text of a constant, "" of anything else."""
    return str((expression.get("literal") or {}).get("text", "")) if expression.get("class") == "CONSTANT" else ""


def _unknown(what: str) -> StatementRefused:
    return StatementRefused(f"{what} is not allowed in a statement here", hint=_READ_HINT)


def _closest(name: str) -> str | None:
    from difflib import get_close_matches

    if _ADMINISTRATIVE.search(name):
        return None
    near = get_close_matches(name, sorted(allowed_functions()), n=3, cutoff=0.75)
    return f"did you mean {', '.join(near)}?" if near else None
