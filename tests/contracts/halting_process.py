"""Run by the suites in a process of its own: an append that halts when its files are up and its commit is not.

`ADDRESS STAGING [overlay]`: prints `halted` and waits to be killed; what is appended may be an overlay instead.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mcp_lakehouse.store import Bucket, open_bucket
from mcp_lakehouse.table import OverlayRows, StagedFile, Table, TableColumn


class HaltingBucket:
    """Passes everything on, but for the write of a commit."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def __getattr__(self, name: str) -> object:
        return getattr(self._bucket, name)

    def write(self, *_: object, **__: object) -> None:
        print("halted", flush=True)
        sys.stdin.read()


def main(address: str, staging: str, what: str = "rows") -> None:
    path = Path(staging) / "halting.parquet"
    pq.write_table(pa.table({"id": list(range(1000))}), path)
    staged = StagedFile(path, path.stat().st_size, 1000, {})
    table = Table(HaltingBucket(open_bucket(address, os.environ)), "tables/numbers")  # type: ignore[arg-type]
    if what == "overlay":
        table.lay_over(staged, OverlayRows(("id",), 1000, 0, 0), at_version=0)
    else:
        table.create_or_append([TableColumn("id", "BIGINT")], [staged])


if __name__ == "__main__":
    main(*sys.argv[1:])
