"""Data files written anew without some of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.ingest.loaded import staged
from mcp_lakehouse.ingest.staging import new_staging, of_dataset
from mcp_lakehouse.limits import IngestLimits
from mcp_lakehouse.table import DataFile, StagedFile
from mcp_lakehouse.worker.process import Worker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def without_rows(
    worker: Worker, dataset: Dataset, gone: Sequence[tuple[DataFile, NDArray[np.int64]]], limits: IngestLimits
) -> list[StagedFile]:
    """What is left of files without the rows of these numbers (from 0 in each file), not committed yet.

    It lies in the worker's scratch folder and goes with it. Raises what the worker raises.
    """
    import pyarrow as pa
    import pyarrow.parquet

    staging = new_staging(worker.scratch)
    rows: list[Path] = []
    for number, (_, numbers) in enumerate(gone):
        rows.append(staging / f"rows-{number}.parquet")
        pyarrow.parquet.write_table(pa.table({"row": pa.array(numbers)}), rows[-1])
    with of_dataset(dataset.name):
        answer = worker.call(
            {
                "op": "without",
                "existing": [str(path) for path in dataset.home.copies.paths([file for file, _ in gone])],
                "rows": [str(path) for path in rows],
                "columns": [[column.name, column.type] for column in dataset.snapshot.columns],
                "staging": str(staging),
                "row_group_rows": limits.row_group_rows,
                "file_bytes": limits.file_bytes,
            },
            timeout_seconds=limits.timeout_seconds,
            on_timeout="the rewriting",
        )
    return [staged(each) for each in answer["files"] if each is not None]
