"""PDF, Markdown, HTML and plain text as rows of text that a citation can point to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from mcp_lakehouse.errors import UnreadableSource
from mcp_lakehouse.ingest.encodings import decode
from mcp_lakehouse.ingest.engine import Job, reading
from mcp_lakehouse.ingest.files import open_regular
from mcp_lakehouse.ingest.types import merge_columns
from mcp_lakehouse.ingest.writing import Columns, write
from mcp_lakehouse.worker.channel import Message

# `line`: where the text begins in its source, from 1 (text and Markdown only).
COLUMNS: Columns = [
    ("source", "VARCHAR"),
    ("page", "INTEGER"),
    ("section", "VARCHAR"),
    ("text", "VARCHAR"),
    ("line", "INTEGER"),
]
# Page (from 1; PDF only), section (headings joined by " > "), text.
Part: TypeAlias = "tuple[int | None, str | None, str]"

# A longer text is split at the ends of paragraphs.
MAX_TEXT_CHARS = 1_000_000
_BATCH_ROWS = 2_000
_BATCH_CHARS = 8_000_000
# Formats whose parts are all of the source's lines, in order.
_WITH_LINES = frozenset({"markdown", "text"})
_Row: TypeAlias = "tuple[str, int | None, str | None, str, int | None]"


def load_documents(job: Job, files: Sequence[Message], existing: Columns | None) -> tuple[Columns, list[Message]]:
    """Stage the texts of all files; returns the dataset's columns and the staged files.

    Of several files those that cannot be read are left out; where none is left, there are no columns.
    Raises `UnreadableSource` for a single one, or where there is no text at all, naming the cause.
    """
    columns = COLUMNS if existing is None else merge_columns(existing, COLUMNS)
    job.rows(
        "CREATE TEMP TABLE documents (source VARCHAR, page INTEGER, section VARCHAR, text VARCHAR, line INTEGER, "
        "file INTEGER)"
    )
    done = left_out = 0
    for file in files:
        name, path = file["name"], Path(file["path"])
        try:
            with reading(name, path):
                _insert(job, file, _parts(job, path, name, file["format"]))
        except UnreadableSource as error:
            job.leave_out(name, error, file["number"])
            job.rows(f"DELETE FROM documents WHERE file = {file['number']}")
            left_out += 1
        done += path.stat().st_size
        job.progress.at(done, f"read {name}")
    if left_out == len(files):
        return [], []
    if not job.rows("SELECT 1 FROM documents LIMIT 1"):
        raise UnreadableSource(f"{files[0]['name']} holds no text", hint="check the file")
    known = {name for name, _ in COLUMNS}
    parts = [f"CAST({name.lower() if name.lower() in known else 'NULL'} AS {kind})" for name, kind in columns]
    names = ['"' + name.replace('"', '""') + '"' for name, _ in columns]
    selected = ", ".join(f"{part} AS {name}" for part, name in zip(parts, names, strict=True))
    return columns, write(job, f"SELECT {selected} FROM documents", columns)


def split_long(text: str) -> Iterator[str]:
    """A text in pieces of at most a million characters, cut at ends of paragraphs, else lines, else anywhere."""
    start = 0
    while len(text) - start > MAX_TEXT_CHARS:
        window = start + MAX_TEXT_CHARS
        cut = max(text.rfind("\n\n", start, window), -1)
        if cut <= start:
            cut = text.rfind("\n", start, window)
        stop = window if cut <= start else cut + 1
        yield text[start:stop]
        start = stop
    yield text[start:]


def _parts(job: Job, path: Path, name: str, format_name: str) -> Iterator[Part]:
    if format_name == "pdf":
        from mcp_lakehouse.ingest.pdf import pdf_parts

        return pdf_parts(job, path, name)
    with open_regular(path, name) as stream:
        text, encoding = decode(stream.read())
    if encoding not in ("utf-8", "utf-8-sig"):
        job.note(f"{name} was read as {encoding}")
    elif "\ufffd" in text:
        job.note(f"{name}: bytes that are not UTF-8 were replaced by U+FFFD")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if format_name == "markdown":
        from mcp_lakehouse.ingest.markdown import markdown_parts

        return markdown_parts(text)
    if format_name == "html":
        from mcp_lakehouse.ingest.html import html_parts

        return html_parts(text)
    return ((None, None, page) for page in text.split("\f"))


def _insert(job: Job, file: Message, parts: Iterator[Part]) -> None:
    name, lines = file["name"], file["format"] in _WITH_LINES
    rows: list[_Row] = []
    size = 0
    following = 1
    empty = True
    for page, section, text in parts:
        for piece in split_long(text):
            first = following + len(piece) - len(piece.lstrip("\n"))
            following += piece.count("\n")
            if not piece.strip():
                continue
            empty = False
            rows.append((name, page, section, piece.strip("\n"), first if lines else None))
            size += len(piece)
            if len(rows) >= _BATCH_ROWS or size >= _BATCH_CHARS:
                _flush(job, rows, file["number"])
                size = 0
    if rows:
        _flush(job, rows, file["number"])
    if empty:
        job.note(f"{name} holds no text")


def _flush(job: Job, rows: list[_Row], number: int) -> None:
    import pyarrow as pa

    kinds = [pa.string(), pa.int32(), pa.string(), pa.string(), pa.int32()]
    columns = [pa.array([_value(row[place]) for row in rows], kind) for place, kind in enumerate(kinds)]
    job.connection.register("chunk", pa.Table.from_arrays(columns, [name for name, _ in COLUMNS]))
    job.rows(f"INSERT INTO documents SELECT *, {number} FROM chunk")
    job.connection.unregister("chunk")
    rows.clear()


def storable(text: str) -> str:
    """A text as a row can hold it: halves of surrogate pairs, which file names may have, become question marks."""
    return text.encode("utf-8", "replace").decode()


def _value(value: str | int | None) -> str | int | None:
    return storable(value) if isinstance(value, str) else value
