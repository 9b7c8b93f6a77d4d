"""The worker's side of showing a part of a data file: rows by a condition, columns left out or masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.sql.guard import Parser, check_condition
from mcp_lakehouse.sql.repeatable import columns_asked
from mcp_lakehouse.sql.values import literal, quote
from mcp_lakehouse.worker.channel import Message

if TYPE_CHECKING:
    import duckdb

_ROW_GROUP_ROWS = 122_880
_STREAM_ROWS = 16_384
_REDACTED = "'***'"
_HASH_DIGITS = 32


def project(
    connection: duckdb.DuckDBPyConnection, parser: Parser, repeatable: frozenset[str], source: str, request: Message
) -> Message:
    """Write what is shown of `source`, a SELECT of all columns, to `to`; tell the columns and how many rows.

    `where`, `only` (columns or `None`), `hidden` and `masks` are those of a restriction; `key` goes into hashes.
    Raises `InvalidInput` for a column that is none, and for an expression that reads anything but the row.
    """
    types: dict[str, str] = dict(request["columns"])
    spelled = {name.casefold(): name for name in types}

    def expression(text: str, what: str) -> str:
        checked, tree = check_condition(text, parser, max_chars=request["max_chars"])
        if checked.tables or columns_asked(tree, spelled, repeatable) is None:
            raise InvalidInput(
                f"{what} reads something else than the row: {text[:200]!r}",
                hint="use the dataset's own columns, no other dataset, and no function such as now() or random()",
            )
        return checked.text

    shown = ", ".join(
        f"{_masked(column, types[column], mask, request['key'], expression) if mask else quote(column)} "
        f"AS {quote(column)}"
        for column, mask in _shown(spelled, request).items()
    )
    where = f" WHERE {expression(request['where'], 'where')}" if request["where"] else ""
    relation = connection.sql(f"SELECT {shown} FROM ({source}) AS {quote(request['dataset'])}{where}")
    columns = [[name, str(type_)] for name, type_ in zip(relation.columns, relation.types, strict=True)]
    rows = _written(relation, Path(request["to"])) if request["to"] else 0
    return {"columns": columns, "rows": rows}


def _shown(spelled: Mapping[str, str], request: Message) -> dict[str, str]:
    """The columns that are shown, in the table's order, with the mask of each ("": none)."""
    masks = {name.casefold(): mask for name, mask in request["masks"].items()}
    hidden = {name.casefold() for name in request["hidden"]}
    only = None if request["only"] is None else {name.casefold() for name in request["only"]}
    unknown = sorted((masks.keys() | hidden | (only or set())) - spelled.keys())
    if unknown:
        raise InvalidInput(
            f"{request['dataset']!r} has no column {unknown[0]!r}", hint=f"columns: {', '.join(spelled.values())}"
        )
    shown = {
        name: masks.get(folded, "")
        for folded, name in spelled.items()
        if folded not in hidden and (only is None or folded in only)
    }
    if not shown:
        raise InvalidInput(f"no column of {request['dataset']!r} is left to be shown", hint="hide fewer")
    return shown


def _masked(column: str, type_: str, mask: str, key: str, expression: Callable[[str, str], str]) -> str:
    if mask == "null":
        return f"CAST(NULL AS {type_})"
    text = f"CAST({quote(column)} AS VARCHAR)"
    if mask == "redact":
        return f"CASE WHEN {quote(column)} IS NULL THEN NULL ELSE {_REDACTED} END"
    if mask == "hash":
        if not key:
            raise InvalidInput("hashes need a key", hint="set LAKEHOUSE_MASK_KEY to a long random text")
        return f"left(sha256({literal(key)} || {text}), {_HASH_DIGITS})"
    # As text, so that a column has one type whatever its mask gives.
    return f"CAST({expression(mask, f'the mask of {column!r}')} AS VARCHAR)"


def _written(relation: duckdb.DuckDBPyRelation, path: Path) -> int:
    """Writes the rows; no file where there are none."""
    import pyarrow as pa
    import pyarrow.parquet

    reader = relation.to_arrow_reader(_STREAM_ROWS)
    rows = 0
    with pyarrow.parquet.ParquetWriter(path, reader.schema, compression="zstd") as writer:
        waiting: list[pa.RecordBatch] = []
        for batch in reader:
            rows += batch.num_rows
            waiting.append(batch)
            if sum(each.num_rows for each in waiting) >= _ROW_GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting, reader.schema))
    if not rows:
        path.unlink()
    return rows
