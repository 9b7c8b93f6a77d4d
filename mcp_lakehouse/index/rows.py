"""Rows of one data file, any of them at once: an Arrow file of small compressed batches, made by a SQL worker.

The file is disposable: it is made again from the table whenever it is missing or damaged.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator, Sequence, Set
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.index.names import leaf
from mcp_lakehouse.index.sealed import Facts, sealed, write_sealed
from mcp_lakehouse.records import Json
from mcp_lakehouse.table import DataFile, TableColumn

if TYPE_CHECKING:
    import pyarrow as pa

# Every batch but the last has so many rows. Decoding one takes about 0.02 ms; smaller ones compress worse.
BATCH_ROWS = 64
# Writes the rows of one data file of the dataset, with these columns, as an Arrow file at the path.
Export = Callable[[Dataset, DataFile, Sequence[TableColumn], Path, CancelToken], None]
_BATCHES_KEPT = 64
_EXACT = 2**53 - 1


class Rows:
    """The rows of one data file, by their number in it."""

    def __init__(self, path: Path) -> None:
        """Opens `path`, which is whole. Raises `OSError` where it is missing."""
        import pyarrow as pa

        # To share out so few bytes among threads takes several times longer than to decode them.
        alone = pa.ipc.IpcReadOptions(use_threads=False)
        self._reader = pa.ipc.open_file(pa.memory_map(str(path)), options=alone)
        self._batch = lru_cache(maxsize=_BATCHES_KEPT)(self._reader.get_batch)
        self._lock = threading.Lock()

    def texts(self, columns: Sequence[str]) -> Iterator[list[str]]:
        """The rows' texts in order, batch by batch: the columns joined by line breaks, nulls left out."""
        names = list(self._reader.schema.names)
        places = [names.index(name) for name in columns]
        for number in range(self._reader.num_record_batches):
            with self._lock:
                batch = self._reader.get_batch(number)
            cells = [[as_json(cell, batch.column(at).type) for cell in batch.column(at).to_pylist()] for at in places]
            yield ["\n".join(str(each) for each in row if each is not None) for row in zip(*cells, strict=True)]

    def get(self, row: int) -> dict[str, Json]:
        """One row as JSON values."""
        number, place = divmod(row, BATCH_ROWS)
        with self._lock:
            batch = self._batch(number)
        return {
            name: as_json(column[place].as_py(), column.type)
            for name, column in zip(self._reader.schema.names, batch.columns, strict=True)
        }


class RowFiles:
    """The row files of one dataset, made when they are first asked for."""

    def __init__(self, folder: Path, export: Export) -> None:
        self._folder = folder
        self._export = export
        self._lock = threading.Lock()
        self._opened: dict[str, Rows] = {}

    def get(self, dataset: Dataset, file: DataFile, cancel: CancelToken) -> Rows:
        """The rows of one data file of a dataset's version. Raises what reading the table raises."""
        columns = dataset.snapshot.columns
        with self._lock:
            if file.key in self._opened:
                return self._opened[file.key]
            path = self._folder / f"{leaf(file.key)}.arrow"
            facts: Facts = {
                "columns": json.dumps([[each.name, each.type] for each in columns]),
                "batch_rows": BATCH_ROWS,
            }
            if not sealed(path, facts):
                write_sealed(path, facts, lambda made: self._export(dataset, file, columns, made, cancel))
            rows = self._opened[file.key] = Rows(path)
            return rows

    def keep(self, keys: Set[str]) -> None:
        """Close the rows of all other data files."""
        with self._lock:
            self._opened = {key: rows for key, rows in self._opened.items() if key in keys}


def as_json(value: object, kind: pa.DataType) -> Json:
    """A value of a wire type as JSON: numbers that JSON readers cannot hold as text."""
    import pyarrow.types as types

    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if -_EXACT <= value <= _EXACT else str(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if types.is_map(kind):
        return {str(key): as_json(item, kind.item_type) for key, item in value}  # type: ignore[attr-defined]  # map
    if isinstance(value, dict):
        return {name: as_json(item, kind.field(name).type) for name, item in value.items()}
    if isinstance(value, list):
        return [as_json(item, kind.value_type) for item in value]
    return str(value)
