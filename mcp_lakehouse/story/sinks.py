"""Where tables go, batch by batch: Parquet, CSV, lines of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet


class Sink(Protocol):
    """A file that takes batches of one schema."""

    def write(self, table: pa.Table) -> None:
        """Write rows."""

    def close(self) -> None:
        """Finish the file."""


class ParquetSink:
    """One Parquet file; each batch is a row group."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pyarrow.parquet.ParquetWriter(path, schema, compression="zstd")

    def write(self, table: pa.Table) -> None:
        """Write rows."""
        self._writer.write_table(table)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


class CsvSink:
    """One CSV file with a head line; null is an empty cell."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        options = pyarrow.csv.WriteOptions(quoting_style="needed")
        self._writer = pyarrow.csv.CSVWriter(path, schema, write_options=options)

    def write(self, table: pa.Table) -> None:
        """Write rows."""
        self._writer.write_table(table)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


class JsonSink:
    """One JSON object on each line; dates as text."""

    def __init__(self, path: Path, _schema: pa.Schema) -> None:
        self._file = open(path, "w", encoding="utf-8", newline="\n")  # noqa: SIM115

    def write(self, table: pa.Table) -> None:
        """Write rows."""
        for row in table.to_pylist():
            self._file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
