"""The views of a SQL worker: under each name that a statement may use, what the parent says it holds now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from functools import partial
from typing import TYPE_CHECKING, Any

from mcp_lakehouse.errors import from_wire
from mcp_lakehouse.sql.changed import changed_rows, feed_columns
from mcp_lakehouse.sql.guard import SYSTEM_SCHEMA, Checked, TableName
from mcp_lakehouse.sql.kept_columns import KeptColumns
from mcp_lakehouse.sql.sources import Source
from mcp_lakehouse.sql.values import quote
from mcp_lakehouse.worker.channel import Channel, Message

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# The views that number their rows (unit of `TableName.at_unit`), and the column they number them in.
ROWS_UNIT = "r"
ROW_NUMBER = "lakehouse row"
_KEPT_RESULTS = 16
_KEPT_VERSIONS = 200
_KEPT_HIDDEN = 1_000
_HIDDEN = "hidden"
_OUT_OF_SCOPE = "(name of a WITH query, used outside its scope)"
# In a definition these hold the content, which is left out where the worker has it.
_CONTENTS = frozenset({"files", "rows", "result"})


class Views:
    """Views over files, and tables of rows and of results, in one connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        # Counts up with each change: what was bound before may stand for something else now.
        self.changes = 0
        # The columns of the views over files: (name, SQL type) by place.
        self.columns: dict[tuple[str, str], list[list[str]]] = {}
        self.kept = KeptColumns(connection, ROW_NUMBER)
        # What each view holds now: (schema, view name) -> the parent's token for that content.
        self._held: dict[tuple[str, str], str] = {}
        # Those that are tables of rows.
        self._tables: set[tuple[str, str]] = set()
        self._results: dict[str, pa.Table] = {}

    def resolve(self, checked: Checked, channel: Channel, foreseen: Sequence[Message]) -> dict[str, int]:
        """Bring the views up to what each named table holds now, as the parent foresaw or tells when asked.

        Returns the versions of the datasets among them.
        """
        if not checked.tables:
            return {}
        self._forget_versions()
        definitions = self._known(checked, foreseen) or self._ask(checked, channel)
        versions: dict[str, int] = {}
        for table, definition in zip(checked.tables, definitions, strict=True):
            if definition is None:
                self._hide(table)
                continue
            if "version" in definition:
                versions[table.name] = definition["version"]
            if definition.get("token") != self._held.get(place(table)):
                self._define(table, definition)
        return versions

    def contents(self, checked: Checked) -> list[tuple[Sequence[str], str]] | None:
        """The tables a statement reads and the parent's tokens for what they hold.

        `None` where a table has the name of one of its WITH queries, and either may be meant, or is held no more.
        """
        held = {table: self._held.get(place(table)) for table in checked.tables}
        read = {table: token for table, token in held.items() if token != _HIDDEN}
        if None in read.values() or any(table.name in checked.local_names for table in read):
            return None
        return [(astuple(table), token) for table, token in read.items() if token]

    def _ask(self, checked: Checked, channel: Channel) -> Sequence[Message | None]:
        wanted = [
            {"schema": t.schema, "name": t.name, "unit": t.at_unit, "at": t.at, "local": t.name in checked.local_names}
            | {"held": self._held.get(place(t))}
            for t in checked.tables
        ]
        channel.send({"event": "resolve", "tables": wanted})
        reply = channel.receive()
        assert reply is not None
        if "error" in reply:
            raise from_wire(reply["error"], reply["message"], reply.get("hint"))
        definitions: Sequence[Message | None] = reply["tables"]
        return definitions

    def _known(self, checked: Checked, foreseen: Sequence[Message]) -> list[Message] | None:
        """The definitions of all tables, if all are foreseen and their contents either held or with them."""
        found = {TableName(*each["table"]): each["definition"] for each in foreseen}
        known = [found[table] for table in checked.tables if table in found]
        held = [self._held.get(place(table)) for table in checked.tables]
        if len(known) < len(held):
            return None
        enough = (new["token"] == old or not _CONTENTS.isdisjoint(new) for new, old in zip(known, held, strict=True))
        return known if all(enough) else None

    def _hide(self, table: TableName) -> None:
        """Take a name that is only a CTE's away from everything else that could answer to it.

        The name may also stand where that CTE is out of scope (in a PIVOT even where it seems in scope:
        the engine looks its values up in a statement of its own). There it would find the engine's
        catalog views, a file of the lake, or a dataset that was dropped since.
        """
        at = place(table)
        if self._held.get(at) == _HIDDEN:
            return
        self.changes += 1
        hidden = [known for known, token in self._held.items() if token == _HIDDEN]
        if len(hidden) >= _KEPT_HIDDEN:
            for schema, view in hidden:
                self._connection.execute(f"DROP VIEW {quote(schema)}.{quote(view)}")
                del self._held[schema, view]
        # A view of a table that is gone is an error wherever it is used, even where no row is read.
        gone = f"{SYSTEM_SCHEMA}.{quote(_OUT_OF_SCOPE)}"
        self._connection.execute(f"CREATE TABLE {gone} (nothing INTEGER)")
        try:
            self._connection.execute(f"CREATE OR REPLACE VIEW {quote(at[0])}.{quote(at[1])} AS FROM {gone}")
        finally:
            self._connection.execute(f"DROP TABLE {gone}")
        self._held[at] = _HIDDEN

    def _forget_versions(self) -> None:
        """Drop the views of old versions when there are many: each time ever asked for has one."""
        old = [known for known in self._held if "@" in known[1]]
        if len(old) < _KEPT_VERSIONS:
            return
        self.changes += 1
        for schema, view in old:
            self._connection.execute(f"DROP VIEW IF EXISTS {quote(schema)}.{quote(view)}")
            self.kept.forget(view)
            del self._held[schema, view]
            self.columns.pop((schema, view), None)

    def _define(self, table: TableName, definition: Message) -> None:
        at = place(table)
        self.changes += 1
        self._held.pop(at, None)
        name = f"{quote(at[0])}.{quote(at[1])}"
        rows = "rows" in definition
        if rows != (at in self._tables):
            # A journal is rows as long as there are none, and files from then on: neither replaces the other.
            self._connection.execute(f"DROP {'VIEW' if rows else 'TABLE'} IF EXISTS {name}")
        (self._tables.add if rows else self._tables.discard)(at)
        if "result" in definition:
            self._hold_result(table, definition["result"])
        elif rows:
            self._hold_rows(name, definition["columns"], definition["rows"])
        else:
            numbered = table.at_unit == ROWS_UNIT
            self.kept.forget(at[1])
            self._hold_files(name, definition, numbered=numbered)
            columns = definition["columns"]
            self.columns[at] = feed_columns(columns) if "changes" in definition else columns
        self._held[at] = definition["token"]

    def _hold_files(self, name: str, definition: Message, *, numbered: bool) -> None:
        columns = definition["columns"]
        rows = Source(columns, definition["files"], definition.get("overlay"))
        if "changes" in definition:
            before = definition["changes"]
            older = Source(before["columns"], before["files"], before.get("overlay"))
            # What was replaced by a column of another type may not be one of its values.
            select = changed_rows(older, rows, definition, partial(self.selected, cast="TRY_CAST"))
        else:
            select = rows.select(self.selected, ROW_NUMBER if numbered else None)
        self._connection.execute(f"CREATE OR REPLACE VIEW {name} AS {select}")

    def selected(self, source: str, columns: Sequence[Sequence[str]], *, cast: str = "CAST") -> str:
        """The select list that gives a table's columns and types from files, of which older ones may have fewer."""
        found = self._connection.sql(f"SELECT * FROM {source} LIMIT 0")
        have = dict(zip(found.columns, (str(type_) for type_ in found.types), strict=True))
        if list(have.items()) == [(column, type_) for column, type_ in columns]:
            return "*"
        return ", ".join(
            quote(column)
            if have.get(column) == type_
            else f"{cast}({quote(column) if column in have else 'NULL'} AS {type_}) AS {quote(column)}"
            for column, type_ in columns
        )

    def _hold_rows(self, name: str, columns: Sequence[Sequence[str]], rows: Sequence[Sequence[object]]) -> None:
        import pyarrow as pa

        cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
        arrays = [pa.array(cell, type=_arrow_of(type_)) for cell, (_, type_) in zip(cells, columns, strict=True)]
        table = pa.table(arrays, names=[column for column, _ in columns])
        casts = ", ".join(f"CAST({quote(column)} AS {type_}) AS {quote(column)}" for column, type_ in columns)
        self._connection.register("incoming", table)
        try:
            self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT {casts} FROM incoming")
        finally:
            self._connection.unregister("incoming")

    def _hold_result(self, table: TableName, stored: Message) -> None:
        from mcp_lakehouse.sql.page import opened

        while len(self._results) >= _KEPT_RESULTS:
            oldest = next(iter(self._results))
            self._connection.unregister(oldest)
            del self._results[oldest]
            self._held.pop(("main", oldest), None)
        with opened(stored) as reader:
            content = reader.read_all()
        self._results[table.view] = content
        self._connection.register(table.view, content)


def place(table: TableName) -> tuple[str, str]:
    """The schema and the view of a table."""
    return (SYSTEM_SCHEMA if table.schema == "system" else "main", table.view)


def _arrow_of(type_: str) -> Any:
    import pyarrow as pa

    return {"BIGINT": pa.int64(), "BOOLEAN": pa.bool_(), "DOUBLE": pa.float64()}.get(type_, pa.string())
