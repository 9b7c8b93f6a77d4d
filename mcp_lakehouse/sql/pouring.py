"""The worker's side of a result that is passed on while it is made: rows as bytes, in pieces of bounded size.

Arrow batches and lines of text are made by the engine itself; what leaves is never held as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mcp_lakehouse.errors import InvalidInput, LimitExceeded
from mcp_lakehouse.limits import MIB
from mcp_lakehouse.sql.page import distinct
from mcp_lakehouse.sql.values import converter, literal, wire_type
from mcp_lakehouse.worker.channel import Message

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from duckdb.sqltypes import DuckDBPyType

Send = Callable[[memoryview], None]

_EXACT = 2**53 - 1
# Their text needs no quotes in CSV.
_BARE = frozenset(
    "boolean tinyint smallint integer bigint hugeint utinyint usmallint uinteger ubigint uhugeint float double decimal "
    "date time timestamp uuid".split()
) | {"timestamp with time zone", "time with time zone"}
_SMALL_INTEGERS = frozenset("tinyint smallint integer utinyint usmallint uinteger".split())
_NESTED = frozenset(("list", "array", "struct", "map"))
_NEWLINE = "chr(10)"


def pour(relation: duckdb.DuckDBPyRelation, request: Message, send: Send) -> int:
    """Send all rows of a relation as `request["form"]`: arrow (an IPC stream), csv or ndjson; returns their number.

    `request` also has `batch_rows`, `piece_bytes`, `row_bytes` (see `StreamLimits`). A piece that is sent is never
    longer than twice `piece_bytes`. Raises `LimitExceeded` for a row that is too long, and what the engine raises.
    """
    forms: dict[str, Callable[[duckdb.DuckDBPyRelation, Message, Send], int]] = {
        "arrow": _pour_arrow,
        "csv": _pour_csv,
        "ndjson": _pour_ndjson,
    }
    if request["form"] not in forms:
        raise InvalidInput(f"there is no form {request['form']!r}", hint=f"forms: {', '.join(forms)}")
    return forms[request["form"]](relation, request, send)


def schema_of(relation: duckdb.DuckDBPyRelation) -> pa.Schema:
    """The schema that `pour` gives as Arrow, found without running the statement."""
    return _named(relation.limit(0).to_arrow_reader(1).schema, relation.columns)


def _pour_arrow(relation: duckdb.DuckDBPyRelation, request: Message, send: Send) -> int:
    import pyarrow as pa

    out = _Out(send, 2 * request["piece_bytes"])
    reader = relation.to_arrow_reader(request["batch_rows"])
    schema = _named(reader.schema, relation.columns)
    rows = 0
    with pa.PythonFile(out, mode="w") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for batch in reader:
            for part in _parts(batch, request):
                rows += part.num_rows
                writer.write_batch(part.rename_columns(schema.names))
                out.pass_on()
    out.pass_on()
    return rows


def _pour_csv(relation: duckdb.DuckDBPyRelation, request: Message, send: Send) -> int:
    names = distinct(relation.columns)
    out = _Out(send, 2 * request["piece_bytes"])
    out.write((",".join(_csv_name(name) for name in names) + "\n").encode())
    # A line without a character would be no line for most readers.
    empty = '""' if len(names) == 1 else ""
    cells = [_csv_cell(f"#{number}", type_, empty) for number, type_ in enumerate(relation.types, 1)]
    rows = _pour_lines(relation, " || ',' || ".join(cells), request, out)
    out.pass_on()
    return rows


def _pour_ndjson(relation: duckdb.DuckDBPyRelation, request: Message, send: Send) -> int:
    names, types = distinct(relation.columns), list(relation.types)
    out = _Out(send, 2 * request["piece_bytes"])
    if any(type_.id in _NESTED for type_ in types):
        rows = _pour_nested(relation, names, types, request, out)
    else:
        heads = [literal(("{" if first else ",") + json.dumps(name, ensure_ascii=False) + ":")
                 for first, name in zip([True, *[False] * len(names)], names, strict=False)]  # fmt: skip
        cells = [_json_cell(f"#{number}", type_) for number, type_ in enumerate(types, 1)]
        line = " || ".join(f"{head} || {cell}" for head, cell in zip(heads, cells, strict=True))
        rows = _pour_lines(relation, f"{line} || '}}'", request, out)
    out.pass_on()
    return rows


def _pour_lines(relation: duckdb.DuckDBPyRelation, line: str, request: Message, out: _Out) -> int:
    """Lines that an expression over the columns makes; the engine's buffer of them is what is sent."""
    rows = 0
    for batch in relation.project(f"{line} || {_NEWLINE} AS line").to_arrow_reader(request["batch_rows"]):
        for part in _parts(batch, request):
            rows += part.num_rows
            out.write(_bytes_of(part.column(0)))
            out.pass_on()
    return rows


def _pour_nested(
    relation: duckdb.DuckDBPyRelation, names: Sequence[str], types: Sequence[DuckDBPyType], request: Message, out: _Out
) -> int:
    """Rows as the JSON of `values`, which takes a Python value for each cell."""
    casts = ", ".join(f"CAST(#{number} AS {wire_type(type_)}) AS c{number}" for number, type_ in enumerate(types, 1))
    converters = [converter(type_) for type_ in types]
    rows = 0
    for batch in relation.project(casts).to_arrow_reader(request["batch_rows"]):
        for part in _parts(batch, request):
            columns = [[convert(value) for value in column.to_pylist()]
                       for convert, column in zip(converters, part.columns, strict=True)]  # fmt: skip
            for row in zip(*columns, strict=True):
                line = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, separators=(",", ":"))
                out.write(f"{line}\n".encode("utf-8", "surrogatepass"))
            rows += part.num_rows
            out.pass_on()
    return rows


class _Out:
    """A file that gathers what is written and passes it on in pieces."""

    closed = False

    def __init__(self, send: Send, most_bytes: int) -> None:
        self._send = send
        self._most = most_bytes
        self._waiting = bytearray()

    def write(self, data: Any) -> int:
        """Take bytes, or anything that holds them."""
        self._waiting += data
        return len(data)

    def pass_on(self) -> None:
        """Send what has been written since."""
        # Not cleared, as the views of it may live on.
        waiting, self._waiting = memoryview(self._waiting), bytearray()
        for first in range(0, len(waiting), self._most):
            self._send(waiting[first : first + self._most])

    def flush(self) -> None:
        """Nothing: only whole batches are passed on."""

    def close(self) -> None:
        """Nothing: what is left goes with the next `pass_on`."""


def _parts(batch: pa.RecordBatch, request: Message) -> Iterator[pa.RecordBatch]:
    """A batch in halves of halves, until each is short enough."""
    if batch.num_rows == 0:
        return
    if batch.nbytes <= request["piece_bytes"]:
        yield batch
    elif batch.num_rows > 1:
        half = batch.num_rows // 2
        yield from _parts(batch.slice(0, half), request)
        yield from _parts(batch.slice(half), request)
    elif batch.nbytes > request["row_bytes"]:
        most = request["row_bytes"]
        raise LimitExceeded(
            f"one row of the result takes {batch.nbytes / MIB:,.0f} MiB; the limit is {most / MIB:,.0f} MiB",
            hint="select fewer columns, or parts of long texts and lists",
        )
    else:
        yield batch


def _bytes_of(texts: pa.Array) -> memoryview:
    """The characters of a text array without NULLs, one after the other."""
    import pyarrow as pa

    _, offsets, data = texts.buffers()
    positions = memoryview(offsets).cast("q" if pa.types.is_large_string(texts.type) else "i")
    if data is None:
        return memoryview(b"")
    return memoryview(data)[positions[texts.offset] : positions[texts.offset + len(texts)]]


def _named(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([field.with_name(name) for field, name in zip(schema, distinct(names), strict=True)])


def _csv_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if name == "" or any(each in name for each in '",\r\n') else name


def _csv_cell(column: str, type_: DuckDBPyType, empty: str) -> str:
    """The engine's own text, in quotes where it needs them; an empty text has them, NULL has not."""
    text = f"CAST({column} AS VARCHAR)"
    if type_.id in _BARE:
        return f"coalesce({text}, {literal(empty)})"
    quoted = f"'\"' || replace({text}, '\"', '\"\"') || '\"'"
    needed = f"{text} = '' OR regexp_matches({text}, '[\",\\r\\n]')"
    return f"CASE WHEN {column} IS NULL THEN {literal(empty)} WHEN {needed} THEN {quoted} ELSE {text} END"


def _json_cell(column: str, type_: DuckDBPyType) -> str:
    """The value as `values` writes it, as JSON text."""
    text = f"CAST({column} AS VARCHAR)"
    kind = type_.id
    if kind == "boolean" or kind in _SMALL_INTEGERS:
        value = text
    elif kind in ("bigint", "ubigint", "hugeint", "uhugeint"):
        value = f"CASE WHEN {column} BETWEEN -{_EXACT} AND {_EXACT} THEN {text} ELSE '\"' || {text} || '\"' END"
        if kind.startswith("u"):
            value = f"CASE WHEN {column} <= {_EXACT} THEN {text} ELSE '\"' || {text} || '\"' END"
    elif kind in ("float", "double"):
        number = f"CAST({column} AS DOUBLE)"
        named = (
            f"CASE WHEN isnan({number}) THEN '\"NaN\"' WHEN {number} > 0 THEN '\"Infinity\"' ELSE '\"-Infinity\"' END"
        )
        value = f"CASE WHEN isfinite({number}) THEN CAST({number} AS VARCHAR) ELSE {named} END"
    else:
        value = f"CAST(to_json({text}) AS VARCHAR)"
    return f"CASE WHEN {column} IS NULL THEN 'null' ELSE {value} END"
