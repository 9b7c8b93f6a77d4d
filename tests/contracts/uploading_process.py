"""Run by the suites in a process of its own: `ADDRESS STAGING`: append the staged file `big.parquet`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mcp_lakehouse.store import open_bucket
from mcp_lakehouse.table import StagedFile, Table, TableColumn


def main(address: str, staging: str) -> None:
    path = Path(staging) / "big.parquet"
    staged = StagedFile(path, path.stat().st_size, 1, {})
    Table(open_bucket(address, os.environ), "tables/numbers").create_or_append([TableColumn("id", "BIGINT")], [staged])


if __name__ == "__main__":
    main(*sys.argv[1:3])
