"""Records as tool results: structured content that stands alone, and the same facts as compact text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import singledispatch

from mcp_types import CallToolResult, TextContent

from lakehouse_tools.budget import PLAIN_CHARS, fitted
from mcp_lakehouse.records import (
    DatasetDescription,
    DatasetList,
    DropReport,
    IngestReport,
    Json,
    QueryResult,
    RestoreReport,
    to_json,
)

_SPECIAL = re.compile(r"[\\|\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def result(record: object, chars: int = PLAIN_CHARS) -> CallToolResult:
    """A tool result for a record, of which about so many characters are shown."""
    shown = fitted(record, chars)
    structured = to_json(shown)
    assert isinstance(structured, dict)
    return CallToolResult(content=[TextContent(type="text", text=text(shown))], structured_content=structured)


@singledispatch
def text(record: object) -> str:
    """The record for a client that shows text: lines of values, no JSON."""
    raise TypeError(f"no text for {type(record).__name__}")


@text.register
def _(record: QueryResult) -> str:
    total = f"{record.row_count:,} row{'' if record.row_count == 1 else 's'}"
    shown = total if len(record.rows) == record.row_count else f"{len(record.rows):,} of {total}"
    lines = [" | ".join(f"{column.name} {column.type}" for column in record.columns), *_rows(record.rows)]
    facts = [shown, *(["truncated"] if record.truncated else []), f"{record.elapsed_ms:g} ms"]
    if record.result_uri:
        facts.append(f"whole result: {record.result_uri}")
    if record.datasets:
        facts.append("datasets: " + ", ".join(f"{name} v{version}" for name, version in record.datasets.items()))
    if record.trace_id:
        facts.append(f"trace {record.trace_id}")
    if record.note:
        facts.append(record.note)
    return "\n".join([*lines, f"({'; '.join(facts)})"])


@text.register
def _(record: DatasetList) -> str:
    lines = [
        f"{each.name}: {each.kind}, {each.rows:,} rows x {each.columns} columns, v{each.version}, {each.updated_at}"
        + (", searchable" if each.searchable else "")
        + (f" - {each.description}" if each.description else "")
        for each in record.datasets
    ]
    if record.next_cursor:
        lines.append(f"(more: cursor={record.next_cursor!r})")
    if record.unreadable:
        lines.append(f"(unreadable, describe_dataset says why: {', '.join(record.unreadable)})")
    return "\n".join(lines) or "no datasets; load one with ingest"


@text.register
def _(record: DatasetDescription) -> str:
    head = f"{record.name}: {record.kind}, {record.rows:,} rows, v{record.version}"
    lines = [f"{head} - {record.description}" if record.description else head]
    if record.key:
        lines.append(f"key: {', '.join(record.key)}")
    for column in record.columns:
        facts = [] if column.nullable else ["not null"]
        if column.nulls:
            facts.append(f"{column.nulls:,} nulls")
        if column.distinct is not None:
            facts.append(f"~{column.distinct:,} distinct")
        if column.min is not None:
            facts.append(f"{_cell(column.min)} .. {_cell(column.max)}")
        if column.description:
            facts.append(column.description)
        lines.append(f"  {column.name} {column.type}" + (f": {', '.join(facts)}" if facts else ""))
    if record.truncated:
        lines.append("  (more columns: see system.columns)")
    if record.sample:
        lines += ["sample:", *(f"  {row}" for row in _rows(record.sample))]
    lines += [f"from {entry.source} at {entry.at}: {entry.rows:,} rows" for entry in record.lineage]
    return "\n".join(lines)


@text.register
def _(record: IngestReport) -> str:
    if record.unchanged:
        lines = [f"{record.dataset} v{record.version}: unchanged"]
    else:
        counts = [f"{record.rows_added:,} rows added"]
        if record.rows_updated:
            counts.append(f"{record.rows_updated:,} updated")
        if record.rows_rejected:
            counts.append(f"{record.rows_rejected:,} rejected (see {record.rejects_uri})")
        lines = [f"{record.dataset} v{record.version}: {', '.join(counts)}"]
    lines.append("columns: " + ", ".join(f"{each.column} {each.type}" for each in record.inferred))
    return "\n".join([*lines, *(f"note: {note}" for note in record.notes)])


@text.register
def _(record: DropReport) -> str:
    return f"dropped {record.dropped}; restorable until: {record.restorable_until}"


@text.register
def _(record: RestoreReport) -> str:
    return f"{record.dataset} is at v{record.version}"


def _rows(rows: Sequence[Sequence[Json]]) -> list[str]:
    return [" | ".join(_cell(cell) for cell in row) for row in rows]


def _cell(cell: Json) -> str:
    """A cell on one line: NULL stands for null, and what would end the line or the cell is escaped."""
    if cell is None:
        return "NULL"
    if cell == "NULL":
        return '"NULL"'
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, (list, dict)):
        return json.dumps(cell, ensure_ascii=False, separators=(",", ":"))
    return _SPECIAL.sub(_escaped, str(cell))


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    if character in "\\|":
        return f"\\{character}"
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"
