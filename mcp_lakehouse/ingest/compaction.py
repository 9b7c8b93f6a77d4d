"""Many small data files as few, with the same rows in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.ingest.staging import new_staging, of_dataset
from mcp_lakehouse.limits import IngestLimits
from mcp_lakehouse.table import StagedFile
from mcp_lakehouse.worker.process import Worker


def merged(worker: Worker, dataset: Dataset, files: Sequence[Path], limits: IngestLimits) -> list[StagedFile]:
    """The rows of a dataset's version (its `files` on this machine) in as few files as fit, not committed yet.

    They lie in the worker's scratch folder and go with it. Raises what the worker raises.
    """
    staging = new_staging(worker.scratch)
    with of_dataset(dataset.name):
        answer = worker.call(
            {
                "op": "merge",
                "existing": [str(path) for path in files],
                "columns": [[column.name, column.type] for column in dataset.snapshot.columns],
                "staging": str(staging),
                "row_group_rows": limits.row_group_rows,
                "file_bytes": limits.file_bytes,
            },
            timeout_seconds=limits.timeout_seconds,
            on_timeout="the compaction",
        )
    return [StagedFile(Path(f["path"]), f["bytes"], f["rows"], f["statistics"]) for f in answer["files"]]
