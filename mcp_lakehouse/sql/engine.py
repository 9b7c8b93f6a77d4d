"""The SQL worker: a locked, confined DuckDB that holds the reader's views and nothing else.

Runs in its own process (role "sql"). The order of the settings matters and is read back: folders
are allowed first, then outside access is switched off, then the configuration is locked (after
`enable_external_access=false` an allow-list is refused; an allow-list alone restricts nothing).
"""

from __future__ import annotations

import base64
import errno
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_lakehouse.errors import InvalidInput, LakehouseError, LimitExceeded, StatementFailed, StorageFailed
from mcp_lakehouse.sql import hints
from mcp_lakehouse.sql.guard import RESULT_PREFIX, SYSTEM_SCHEMA, Checked, Parser, TableName, check, check_condition
from mcp_lakehouse.sql.numbers import pack
from mcp_lakehouse.sql.repeatable import columns_asked, repeatable_functions
from mcp_lakehouse.sql.sources import Source
from mcp_lakehouse.sql.values import literal, quote, wire_type
from mcp_lakehouse.sql.views import ROW_NUMBER, ROWS_UNIT, Views, place
from mcp_lakehouse.store.failures import FULL, local_failure
from mcp_lakehouse.table.overlay import DELETED
from mcp_lakehouse.worker import confine
from mcp_lakehouse.worker.channel import Channel, Message

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_STREAM_ROWS = 16_384
_KEPT_CHECKS = 256
# The engine itself allows expressions 1,000 deep; each is up to four levels of its JSON tree.
_TREE_DEPTH = 5_000


def preload() -> None:
    """Import what every worker of the role needs."""
    import duckdb  # noqa: F401  # loaded here, used by workers
    import pyarrow.ipc  # noqa: F401  # likewise
    import pytz  # noqa: F401  # duckdb imports it when it meets a time zone


def start(config: Message) -> Engine:
    """Confine this process, then open and lock the engine.

    `config`: `readable` folders and their `descriptors`, `scratch` (its only writable folder), `data` folders that
    views read from, `memory_bytes`, `address_space_bytes`, `spill_bytes`, `file_bytes`, `threads`; `projects` where
    it is to answer `project`.
    """
    sys.setrecursionlimit(_TREE_DEPTH)
    isolated = confine.leave_network()
    # Loaded before the file system is closed off.
    preload()
    import duckdb

    if config.get("projects"):
        import pyarrow.parquet  # noqa: F401  # as the others, for the few workers that write such files

    scratch = Path(config["scratch"])
    connection = duckdb.connect(":memory:")
    _lock(connection, config, scratch)
    confine.limit_resources(address_space_bytes=config["address_space_bytes"], file_bytes=config["file_bytes"])
    landlock = confine.restrict_files(
        readable=[*config["descriptors"], *confine.python_folders()],
        writable=[str(scratch)],
    )
    return Engine(connection, scratch, config, {"landlock": landlock, "network_namespace": isolated})


def _lock(connection: duckdb.DuckDBPyConnection, config: Message, scratch: Path) -> None:
    settings: dict[str, str | int | bool | list[str]] = {
        "enable_progress_bar": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "python_enable_replacements": False,
        "arrow_lossless_conversion": True,
        "parquet_metadata_cache": True,
        "TimeZone": "UTC",
        "threads": config["threads"],
        "memory_limit": f"{config['memory_bytes']}B",
        "max_temp_directory_size": f"{config['spill_bytes']}B",
        "temp_directory": str(scratch / "spill"),
        "allowed_directories": [str(Path(folder)) + os.sep for folder in config["data"]],
    }
    for name, value in settings.items():
        connection.execute(f"SET {name} = {literal(value)}")
    connection.execute(f"CREATE SCHEMA {SYSTEM_SCHEMA}")
    # For the one kind of statement whose tree cannot be rewritten: a PIVOT that finds its columns itself.
    connection.execute(
        f"CREATE MACRO result(uri) AS TABLE FROM query_table('result_' || replace(uri, '{RESULT_PREFIX}', ''))"
    )
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    rows = connection.execute(
        "SELECT name, value FROM duckdb_settings() WHERE name IN ('enable_external_access', 'lock_configuration')"
    ).fetchall()
    if dict(rows) != {"enable_external_access": "false", "lock_configuration": "true"}:
        raise RuntimeError(f"the engine did not lock: {rows}")


class Engine:
    """Answers `hello`, `run`, `stream`, `schema`, `schemas`, `page`, `filter`, `export` and `project`."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, scratch: Path, config: Message, confined: Message
    ) -> None:
        self._connection = connection
        self._scratch = scratch
        self._config = config
        self._confined = confined
        self._parser = _parser(connection)
        self._checked: dict[str, Checked] = {}
        self._conditions: dict[str, tuple[Checked, dict[str, Any]]] = {}
        # The text of a checked statement as the engine parsed it: parsing it again takes as long as a small one runs.
        self._parsed: dict[str, str | duckdb.Statement] = {}
        # Bound statements without parameters, as long as nothing that a name stands for changes.
        self._bound: dict[str, duckdb.DuckDBPyRelation] = {}
        self._bound_at = 0
        self._views = Views(connection)

    def __call__(self, request: Message, channel: Channel) -> Message:
        """One request, one answer."""
        confine.allow_cpu(request.get("cpu_seconds", 60))
        if request["op"] == "hello":
            return {"confined": self._confined}
        if request["op"] == "run":
            return self._run(request, channel)
        if request["op"] in ("stream", "schema"):
            return self._pour(request, channel)
        if request["op"] == "schemas":
            return self._schemas(request)
        if request["op"] == "page":
            return self._page(request)
        if request["op"] == "filter":
            return self._filter(request, channel)
        if request["op"] == "export":
            return self._export(request)
        if request["op"] == "project":
            return self._project(request)
        raise InvalidInput(f"unknown request {request['op']!r}")

    @cached_property
    def _repeatable(self) -> frozenset[str]:
        return repeatable_functions(self._connection)

    def _run(self, request: Message, channel: Channel) -> Message:
        began = time.perf_counter()
        checked = self._check(request["statement"], request["max_chars"])
        try:
            versions = self._views.resolve(checked, channel, request["foreseen"])
            repeatable = checked.functions is not None and checked.functions <= self._repeatable
            reads = self._views.contents(checked) if repeatable else None
            return self._stream(checked, request, began) | {"versions": versions, "reads": reads}
        except _engine_errors() as error:
            raise self._explain(error, checked) from None

    def _check(self, statement: str, max_chars: int) -> Checked:
        if statement not in self._checked:
            if len(self._checked) >= _KEPT_CHECKS:
                self._checked.clear()
                self._parsed.clear()
            self._checked[statement] = check(statement, self._parser, max_chars=max_chars)
        return self._checked[statement]

    # Running ----------------------------------------------------------------------------------

    def _stream(self, checked: Checked, request: Message, began: float) -> Message:
        from mcp_lakehouse.sql.page import Page, Store

        relation = self._relation(checked.text, _parameters(request.get("params")))
        names, types = list(relation.columns), list(relation.types)
        _check_width(len(names), request)
        page = Page(self._connection, types, request)
        store = Store(self._scratch / f"{request['result_id']}.arrow", names, request["stored_bytes"])
        try:
            reader = relation.to_arrow_reader(_STREAM_ROWS)
            for batch in _batches(reader):
                page.add(batch)
                store.add(batch)
            kept = store.close(reader.schema)
        except BaseException:
            store.discard()
            raise
        return {
            "columns": [[name, str(type_)] for name, type_ in zip(names, types, strict=True)],
            "row_count": store.rows,
            **page.finish(store.rows),
            "batches": store.batches,
            "stored": kept,
            "elapsed_ms": round((time.perf_counter() - began) * 1000, 2),
        }

    def _pour(self, request: Message, channel: Channel) -> Message:
        """All rows, sent while they are made; or with `schema` what they would be."""
        from mcp_lakehouse.sql.pouring import pour, schema_of

        began = time.perf_counter()
        checked = self._check(request["statement"], request["max_chars"])
        try:
            self._views.resolve(checked, channel, request["foreseen"])
            relation = self._relation(checked.text, _parameters(request.get("params")))
            _check_width(len(relation.columns), request)
            if request["op"] == "schema":
                return {"schema": _encoded(schema_of(relation))}
            columns = [[name, str(type_)] for name, type_ in zip(relation.columns, relation.types, strict=True)]
            channel.send({"event": "columns", "columns": columns})
            rows = pour(relation, request, channel.send_bytes)
        except _engine_errors() as error:
            raise self._explain(error, checked) from None
        return {"rows": rows, "elapsed_ms": round((time.perf_counter() - began) * 1000, 2)}

    def _schemas(self, request: Message) -> Message:
        """The Arrow schemas of tables that are given as names and types of their columns."""
        from mcp_lakehouse.sql.pouring import schema_of

        found = []
        for columns in request["tables"]:
            nothing = ", ".join(f"CAST(NULL AS {type_}) AS {quote(name)}" for name, type_ in columns)
            found.append(_encoded(schema_of(self._connection.sql(f"SELECT {nothing} WHERE false"))))
        return {"schemas": found}

    def _relation(self, text: str, params: Any) -> duckdb.DuckDBPyRelation:
        if params is not None:
            return self._connection.sql(self._statement(text), params=params)
        if self._bound_at != self._views.changes or len(self._bound) >= _KEPT_CHECKS:
            self._bound.clear()
            self._bound_at = self._views.changes
        if text not in self._bound:
            self._bound[text] = self._connection.sql(self._statement(text))
        return self._bound[text]

    def _statement(self, text: str) -> str | duckdb.Statement:
        if text not in self._parsed:
            statements = self._connection.extract_statements(text)
            # A PIVOT that finds its columns itself is several, which belong together.
            self._parsed[text] = statements[0] if len(statements) == 1 else text
        return self._parsed[text]

    def _page(self, request: Message) -> Message:
        from mcp_lakehouse.sql.page import Page, read_range

        began = time.perf_counter()
        types = [self._connection.sqltype(type_) for _, type_ in request["columns"]]
        page = Page(self._connection, types, request)
        for batch in read_range(request["stored"], request["batches"], request["offset"], request["max_rows"]):
            page.add(batch)
        rest = sum(request["batches"]) - request["offset"]
        return page.finish(max(0, rest)) | {"elapsed_ms": round((time.perf_counter() - began) * 1000, 2)}

    # For search -------------------------------------------------------------------------------

    def _filter(self, request: Message, channel: Channel) -> Message:
        """The numbers of the rows of one version that a condition holds for: BIGINTs, (file << 40) | row in it."""
        name, version = request["dataset"], request["version"]
        rows = TableName("", name, ROWS_UNIT, str(version))
        if request["where"] not in self._conditions:
            if len(self._conditions) >= _KEPT_CHECKS:
                self._conditions.clear()
            try:
                found = check_condition(request["where"], self._parser, max_chars=request["max_chars"])
            except StatementFailed as error:
                raise _of_condition(error) from None
            self._conditions[request["where"]] = found
        condition, tree = self._conditions[request["where"]]
        checked = Checked(condition.text, (*condition.tables, rows), condition.local_names, "WHERE")
        try:
            self._views.resolve(checked, channel, request["foreseen"])
            source, repeatable = self._filtered(tree, rows)
            statement = f"SELECT {quote(ROW_NUMBER)} FROM {source} AS {quote(name)} WHERE {condition.text}"
            numbers = self._connection.execute(statement).fetchnumpy()[ROW_NUMBER]
        except _engine_errors() as error:
            raise _of_condition(self._explain(error, checked)) from None
        answer: Message = {"repeatable": repeatable}
        packed = pack(numbers)
        if packed is not None:
            return answer | {"rows": packed}
        path = self._scratch / f"{request['result_id']}.rows"
        numbers.tofile(path)
        return answer | {"file": str(path)}

    def _filtered(self, tree: dict[str, Any], rows: TableName) -> tuple[str, bool]:
        """What a condition is to be asked of, and whether it holds for the same rows of this version ever after."""
        types = dict(self._views.columns[place(rows)])
        asked = columns_asked(tree, {name.lower(): name for name in types}, self._repeatable)
        if asked is None:
            return quote(rows.view), False
        return self._views.kept.source(rows.view, asked, types), True

    def _export(self, request: Message) -> Message:
        """One file's rows (an overlay's without its deletions) as an Arrow file of small batches: any is read at once.

        Columns have their wire types (see `values.wire_type`): what JSON cannot hold is text.
        """
        import pyarrow as pa

        source = f"read_parquet({literal([request['path']])})"
        columns = request["columns"]
        path = self._scratch / f"{request['result_id']}.arrow"
        try:
            seen = f" WHERE NOT {quote(DELETED)}" if request["overlay"] else ""
            rows = f"SELECT {self._views.selected(source, columns)} FROM {source}{seen}"
            relation = self._connection.sql(rows)
            casts = ", ".join(
                quote(column) if wire_type(type_) == str(type_) else f"CAST({quote(column)} AS {wire_type(type_)})"
                for column, type_ in zip(relation.columns, relation.types, strict=True)
            )
            reader = self._connection.sql(f"SELECT {casts} FROM ({rows})").to_arrow_reader(_STREAM_ROWS)
            schema = pa.schema([f.with_name(c) for f, c in zip(reader.schema, relation.columns, strict=True)])
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema, options=options) as writer:
                for table in _whole_batches(reader, request["batch_rows"]):
                    writer.write_table(table.rename_columns(schema.names), max_chunksize=request["batch_rows"])
        except _engine_errors() as error:
            path.unlink(missing_ok=True)
            about = Checked("", (TableName("", request["dataset"]),), frozenset(), "SELECT")
            raise self._explain(error, about) from None
        return {"file": str(path)}

    def _project(self, request: Message) -> Message:
        """What is shown of one data file (or of none, for the columns alone): see `projecting.project`."""
        from mcp_lakehouse.sql.projecting import project

        over, selected = request["overlay"], self._views.selected
        seen = Source(request["columns"], [request["path"]] if request["path"] else [], over)
        if seen.files:
            (source,) = seen.base(selected, [0])
        else:
            source = seen.laid(selected) if over else seen.nothing()
        path = self._scratch / f"{request['result_id']}.parquet" if request["path"] or over else None
        asked = request | {"to": str(path) if path else None}
        try:
            made = project(self._connection, self._parser, self._repeatable, source, asked)
        except _engine_errors() as error:
            if path is not None:
                path.unlink(missing_ok=True)
            about = Checked("", (TableName("", request["dataset"]),), frozenset(), "SELECT")
            raise self._explain(error, about) from None
        return made | {"file": str(path) if path is not None and made["rows"] else None}

    # Errors -----------------------------------------------------------------------------------

    def _explain(self, error: Exception, checked: Checked) -> LakehouseError:
        import duckdb

        text = self._without_paths(_first_part(str(error)))
        exhausted = isinstance(error, (duckdb.OutOfMemoryException, MemoryError))
        if exhausted or "failed to allocate" in text.lower():
            limit = f"{self._config['memory_bytes'] / 1e9:g} GB"
            return LimitExceeded(
                f"the statement needs more memory than one statement may use ({limit})",
                hint="filter earlier, aggregate, select fewer columns, or sample",
            )
        if _is_full(error, text):
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return local_failure(full, "write", "", str(self._scratch.parent))
        unread = isinstance(error, (duckdb.IOException, duckdb.HTTPException)) and "max_temp_directory_size" not in text
        if unread or (checked.tables and _DAMAGED.search(text) and not text.startswith(_OF_THE_STATEMENT)):
            return StorageFailed(
                f"a data file of {_names(checked)} could not be read: {text}",
                hint="run `mcp-lakehouse doctor`; an older version may still be whole: AT (VERSION => n)",
            )
        known = [hints.hint(text, checked.text), self._schema_hint(checked)]
        return StatementFailed(hints.message(text), hint="; ".join(filter(None, known)) or None)

    def _schema_hint(self, checked: Checked) -> str | None:
        lines = []
        for table in checked.tables:
            columns = self._views.columns.get(place(table))
            if columns:
                shown = ", ".join(f"{quote_if_needed(name)} {type_}" for name, type_ in columns[:_HINT_COLUMNS])
                more = f", … {len(columns) - _HINT_COLUMNS} more" if len(columns) > _HINT_COLUMNS else ""
                lines.append(f"{table.name}({shown}{more})")
        return "columns: " + "; ".join(dict.fromkeys(lines)) if lines else None

    def _without_paths(self, text: str) -> str:
        for folder in sorted({*self._config["readable"], str(self._scratch)}, key=len, reverse=True):
            text = text.replace(folder, "…")
        return text


_HINT_COLUMNS = 40
# The engine has no class of error for a Parquet file that is not whole.
_DAMAGED = re.compile(
    r"(?i)parquet|magic bytes|decompress|corrupt|out of buffer|failed to read file|TProtocol|TTransport|invalid TType"
    r"|don't know what type|decode bit width|varint-decoding"
)
_OF_THE_STATEMENT = ("Parser Error", "Binder Error", "Catalog Error", "Conversion Error", "Out of Range Error")
_SIMPLE = re.compile(r"[a-z_][a-z0-9_]*")


def quote_if_needed(name: str) -> str:
    """A column name as it must be written in SQL."""
    return name if _SIMPLE.fullmatch(name) else quote(name)


def _names(checked: Checked) -> str:
    return ", ".join(table.name for table in checked.tables) or "the lake"


def _parameters(params: object) -> Any:
    if params is None or isinstance(params, (list, dict)):
        return params or None
    raise InvalidInput("params must be a list (for ? and $1) or an object (for $name)", hint='e.g. {"params": [3]}')


def _check_width(columns: int, request: Message) -> None:
    if columns > request["max_columns"]:
        raise LimitExceeded(
            f"the result has {columns:,} columns; the limit is {request['max_columns']:,}",
            hint="name the columns you need; UNPIVOT turns many columns into rows",
        )


def _encoded(schema: pa.Schema) -> str:
    return base64.b64encode(schema.serialize()).decode()


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        if batch.num_rows:
            yield batch


def _of_condition(error: LakehouseError) -> LakehouseError:
    """An error without the statement that the engine shows, of which the caller knows the condition only."""
    lines = [line for line in error.message.split("\n\nLINE")[0].splitlines() if ROW_NUMBER not in line]
    message = "\n".join(lines).replace('at or near ")"', "at its end")
    hint = error.hint
    if message.startswith("Parser Error"):
        hint = 'where is what stands after WHERE; names with blanks go in double quotes: "Salary To" > 5'
    return type(error)(message, hint=hint)


def _whole_batches(reader: pa.RecordBatchReader, rows: int) -> Iterator[pa.Table]:
    """The stream as tables whose length is a multiple of `rows`, but for the last one."""
    import pyarrow as pa

    rest = pa.Table.from_batches([], reader.schema)
    for batch in reader:
        rest = pa.concat_tables([rest, pa.Table.from_batches([batch])])
        if len(rest) >= _STREAM_ROWS:
            whole = len(rest) // rows * rows
            yield rest.slice(0, whole).combine_chunks()
            rest = rest.slice(whole)
    yield rest.combine_chunks()


def _first_part(text: str) -> str:
    """The engine's message without its stack trace."""
    return text.split("\n\nStack Trace")[0].strip()


def _is_full(error: Exception, text: str) -> bool:
    return (isinstance(error, OSError) and error.errno in FULL) or "No space left on device" in text


def _engine_errors() -> tuple[type[Exception], ...]:
    import duckdb
    import pyarrow as pa

    # Streaming wraps the engine's own error in one of Arrow's.
    return (duckdb.Error, pa.ArrowException, OSError)


def _parser(connection: duckdb.DuckDBPyConnection) -> Parser:
    import duckdb

    def types(statement: str) -> list[str]:
        try:
            return [statement_.type.name for statement_ in connection.extract_statements(statement)]
        except ValueError:
            return ["UNKNOWN"]
        except duckdb.Error as error:
            text = hints.message(_first_part(str(error)))
            raise StatementFailed(text, hint=hints.hint(text, statement) or "the dialect is DuckDB's") from None

    (serialize,) = connection.extract_statements("SELECT json_serialize_sql(?)")

    def tree(statement: str) -> dict[str, Any]:
        try:
            ((text,),) = connection.execute(serialize, [statement]).fetchall()
        except duckdb.Error as error:
            raise StatementFailed(_first_part(str(error)), hint="the dialect is DuckDB's") from None
        try:
            parsed: dict[str, Any] = json.loads(text)
        except RecursionError:
            raise StatementFailed(
                "the statement is nested too deeply",
                hint="shorten chains of joins and operators, or nest fewer subqueries",
            ) from None
        if parsed.get("error"):
            raise StatementFailed(str(parsed.get("error_message")), hint="the dialect is DuckDB's")
        return parsed

    def text(tree_: dict[str, Any]) -> str:
        ((statement,),) = connection.execute("SELECT json_deserialize_sql(?)", [json.dumps(tree_)]).fetchall()
        return str(statement)

    def tokens(statement: str) -> list[tuple[int, str]]:
        return [(start_, str(kind).rsplit(".", 1)[-1]) for start_, kind in duckdb.tokenize(statement)]

    return Parser(types, tree, text, tokens)
