"""The reader for each table format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcp_lakehouse.errors import UnreadableSource
from mcp_lakehouse.ingest.columnar import arrow_reader, parquet_reader
from mcp_lakehouse.ingest.csv_reader import CsvReader
from mcp_lakehouse.ingest.engine import Job, reading
from mcp_lakehouse.ingest.reader import Reader
from mcp_lakehouse.worker.channel import Message


def open_readers(job: Job, files: Sequence[Message]) -> dict[int, Reader]:
    """A reader for each file by its place in the request, looked into far enough to know its columns."""
    readers = {}
    for number, file in enumerate(files):
        path, name = Path(file["path"]), file["name"]
        try:
            with reading(name, path):
                readers[file["number"]] = _open(job, path, name, file, number)
        except UnreadableSource as error:
            job.leave_out(name, error, file["number"])
        if len(files) > 1:
            job.progress.at(0, f"looking at {name}")
    return readers


def _open(job: Job, path: Path, name: str, file: Message, number: int) -> Reader:
    match file["format"]:
        case "parquet":
            return parquet_reader(job, path, name)
        case "arrow":
            return arrow_reader(job, path, name, number)
        case "json" | "ndjson":
            from mcp_lakehouse.ingest.json_reader import JsonReader

            return JsonReader(job, path, name, lines=file["format"] == "ndjson")
        case "excel":
            from mcp_lakehouse.ingest.excel import excel_reader

            return excel_reader(job, path, name, file.get("sheet"), number)
        case _:
            return CsvReader(job, path, name, "\t" if file["format"] == "tsv" else ",", number)
