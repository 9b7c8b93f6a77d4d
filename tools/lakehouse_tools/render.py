"""Records as tool results: structured content that stands alone, and the same facts as compact text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import singledispatch

from mcp_types import CallToolResult, TextContent

from lakehouse_tools.budget import PLAIN_CHARS, fitted
from mcp_lakehouse.records import (
    Answer,
    BucketList,
    DatasetDescription,
    DatasetList,
    DropReport,
    ErrorList,
    IndexReport,
    IngestReport,
    Json,
    Passage,
    ProfileList,
    QueryResult,
    ReplayReport,
    RestoreReport,
    RollbackReport,
    SearchResult,
    TrialList,
    to_json,
)

_SPECIAL = re.compile(r"[\\|\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
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
def _(record: BucketList) -> str:
    lines = [
        f"{each.name}: {each.url}, {each.datasets:,} datasets" + (f", away: {each.problem}" if each.problem else "")
        for each in record.buckets
    ]
    if record.rescued:
        lines.append(f"({record.rescued:,} refused writes wait for replay_rescued)")
    return "\n".join(lines)


@text.register
def _(record: ReplayReport) -> str:
    lines = []
    for each in record.entries:
        became = f"v{each.version}" if each.version is not None else "written"
        state = became if each.waits is None else f"still waits: {_line(each.waits)}"
        lines.append(
            f"{each.id} {each.dataset} of {each.at}: {state}" + (f" ({_line(each.note)})" if each.note else "")
        )
    return "\n".join(lines) or "nothing waits"


@text.register
def _(record: ProfileList) -> str:
    lines = [
        f"{each.name}: {', '.join(each.rights)}; datasets {', '.join(each.datasets) or '(none)'}"
        + (f", in part {', '.join(each.restricted)}" if each.restricted else "")
        + (f" - {each.description}" if each.description else "")
        for each in record.profiles
    ]
    for shown in record.shown or ():
        facts = [f"{shown.rows:,} of {shown.of_rows:,} rows", f"columns {', '.join(shown.columns)}"]
        facts += [f"hidden {', '.join(shown.hidden)}"] if shown.hidden else []
        facts += [f"masked {', '.join(shown.masked)}"] if shown.masked else []
        lines.append(f"sees {shown.dataset}: {shown.problem or '; '.join(facts)}")
    return "\n".join([*lines, *(record.answer or ())]) or "no profiles; lakehouse.toml in the lake makes them"


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
    if record.index:
        index = record.index
        lines.append(
            f"search index: generation {index.generation}, {index.rows:,} passages, {index.model}, "
            f"{index.dimensions} dimensions, recall@10 {index.recall_at_10:g}"
        )
    elif record.text:
        lines.append(f"search index: not built yet, all passages of {', '.join(record.text)} are searched exactly")
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
    counts = ["unchanged" if record.unchanged else f"{record.rows_added:,} rows added"]
    if record.rows_deleted:
        counts = [f"{record.rows_deleted:,} rows deleted"]
    if record.rows_updated:
        counts.append(f"{record.rows_updated:,} updated")
    if record.rows_rejected:
        counts.append(f"{record.rows_rejected:,} rejected (see {record.rejects_uri})")
    lines = [f"{record.dataset} v{record.version}: {', '.join(counts)}"]
    lines.append("columns: " + ", ".join(f"{each.column} {each.type}" for each in record.inferred))
    return "\n".join([*lines, *(f"note: {note}" for note in record.notes)])


@text.register
def _(record: SearchResult) -> str:
    lines = []
    for number, hit in enumerate(record.results, 1):
        lines.append(f"[{number}] {hit.score:.2f} {_line(hit.title)} ({hit.dataset})")
        lines.append(f"  {hit.id}")
        if hit.columns:
            lines.append("  " + " | ".join(f"{_cell(name)}: {_cell(value)}" for name, value in hit.columns.items()))
        lines.append(f"  {_line(hit.text)}")
    facts = [f"{len(record.results):,} hit{'' if len(record.results) == 1 else 's'}", record.mode]
    for name, plan in record.plan.items():
        generation = record.generations.get(name)
        index = "" if generation is None else f" (generation {generation})" if generation else " (no index built yet)"
        facts.append(f"{name}{index}: {_line(plan)}")
    facts += [*(["truncated"] if record.truncated else []), f"{record.elapsed_ms:g} ms"]
    return "\n".join([*lines, f"({'; '.join([*facts, *([record.note] if record.note else [])])})"])


@text.register
def _(record: Passage) -> str:
    # The text comes last and as it is: whatever stands in it, it is not one of the facts above it.
    facts = [f"{name}: {_cell(value)}" for name, value in record.metadata.items()]
    return "\n".join([_line(record.title), record.id, *facts, "text:", record.text])


@text.register
def _(record: Answer) -> str:
    lines = [record.answer, ""]
    if record.statement:
        lines.append(f"computed by: {_line(record.statement)}")
    lines += [f"[{each.n}] {_quote(each.quote)} {each.id}" for each in record.citations]
    if record.evidence:
        lines += ["evidence:", *(f"  {each.score:.2f} {each.id}: {_line(each.text)}" for each in record.evidence)]
    if record.unsupported:
        lines += ["without support:", *(f"  {_line(each)}" for each in record.unsupported)]
    facts = [
        "the data does not hold the answer" if record.refused else "grounded" if record.grounded else "not grounded",
        f"written by {record.model}" if record.model else "quoted, no model wrote it",
        *([record.note] if record.note else []),
    ]
    return "\n".join([*lines, f"({'; '.join(facts)})"])


@text.register
def _(record: IndexReport) -> str:
    became = "is published" if record.published else "is not published"
    return (
        f"{record.dataset}: generation {record.generation} {became}; {record.rows:,} passages, "
        f"recall@10 {record.recall_at_10:g}, {record.build_seconds:g} s" + (f"; {record.note}" if record.note else "")
    )


@text.register
def _(record: RollbackReport) -> str:
    return f"{record.dataset}: generation {record.generation} serves again, before it was {record.previous}"


@text.register
def _(record: ErrorList) -> str:
    lines = []
    for each in record.errors:
        facts = [each.time, each.code, each.operation, *(filter(None, [each.dataset, each.who, each.trace_id]))]
        lines.append(f"{' '.join(map(_line, facts))}: {_line(each.message)}")
        lines += [f"  hint: {_line(each.hint)}"] if each.hint else []
    return "\n".join([*lines, f"({len(record.errors):,} of {record.total:,} errors)"])


@text.register
def _(record: TrialList) -> str:
    lines = [
        f"{each.dataset} {each.trial}: {'' if each.published else 'not '}published, {each.time}, {each.model}, "
        f"{each.passages:,} passages, {each.parameters}, recall@10 {each.recall_at_10:g}, p50 {each.p50_ms:g} ms, "
        f"p99 {each.p99_ms:g} ms, built in {each.build_seconds:g} s, {each.index_bytes:,} bytes"
        + (f", by {_line(each.who)}" if each.who else "")
        + (f"; {_line(each.note)}" if each.note else "")
        for each in record.trials
    ]
    return "\n".join([*lines, f"({len(record.trials):,} of {record.total:,} trials)"])


@text.register
def _(record: DropReport) -> str:
    return f"dropped {record.dropped}; restorable until: {record.restorable_until}"


@text.register
def _(record: RestoreReport) -> str:
    return f"{record.dataset} is at v{record.version}"


def _line(text: str) -> str:
    """Text of somebody else on one line, so that it can not pass for a line of ours."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _quote(text: str) -> str:
    """A quote exactly as its source holds it; one of several lines as a JSON string, which says so."""
    return f"(as JSON) {json.dumps(text, ensure_ascii=False)}" if _CONTROL.search(text) else f'"{text}"'


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
