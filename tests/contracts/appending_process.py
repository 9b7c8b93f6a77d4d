"""Run by the suites in a process of its own: append rows to a table, one commit each.

`ADDRESS STAGING WRITER COUNT`: rows get the ids WRITER * 1000 + 0, 1, ...; each version is printed.
COUNT 0 goes on until killed.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mcp_lakehouse.store import open_bucket
from mcp_lakehouse.table import StagedFile, Table, TableColumn


def main(address: str, staging: str, writer: int, count: int) -> None:
    table = Table(open_bucket(address, os.environ), "tables/numbers")
    path = Path(staging) / f"writer-{writer}.parquet"
    for number in itertools.islice(itertools.count(), count or None):
        pq.write_table(pa.table({"id": [writer * 1000 + number]}), path)
        staged = StagedFile(path, path.stat().st_size, 1, {})
        version = table.create_or_append([TableColumn("id", "BIGINT")], [staged], info={"who": str(writer)})
        print(version, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
