"""What the contract suites need of a place for buckets: an address that other processes can open too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mcp_lakehouse.store import Bucket, open_bucket
from mcp_lakehouse.table import StagedFile, Table, TableColumn

ID = (TableColumn("id", "BIGINT"),)


@dataclass(frozen=True)
class Place:
    """An empty place of one kind."""

    kind: str
    address: str
    environment: Mapping[str, str]
    staging: Path

    def bucket(self) -> Bucket:
        """A bucket object of its own, as another process would have it."""
        return open_bucket(self.address, self.environment)

    def table(self, prefix: str = "tables/numbers") -> Table:
        """A table object of its own, with nothing remembered."""
        return Table(self.bucket(), prefix)

    def stage(self, file: str = "rows", /, **columns: Any) -> StagedFile:
        """A Parquet file with these columns; lists or Arrow arrays."""
        return stage(self.staging / f"{file}.parquet", pa.table(columns))

    def process(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        """Another process that runs one of the scripts beside this file on this place."""
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(script)), self.address, str(self.staging), *arguments],
            env={**os.environ, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def stage(path: Path, content: pa.Table) -> StagedFile:
    """Write a file for a commit, with the statistics of its integer columns."""
    pq.write_table(content, path, compression="zstd")
    statistics = {
        name: {"min": min(values), "max": max(values), "nulls": 0}
        for name in content.column_names
        if pa.types.is_integer(content.schema.field(name).type)
        and (values := [value for value in content[name].to_pylist() if value is not None])
    }
    return StagedFile(path, path.stat().st_size, content.num_rows, statistics)


def ids(table: Table, version: int | None = None) -> list[int]:
    """The values of column `id`, read file by file, sorted."""
    found: list[int] = []
    for file in table.snapshot(version).files:
        found += read_rows(table, [file.key])["id"].to_pylist()
    return sorted(found)


def read_rows(table: Table, keys: Sequence[str]) -> pa.Table:
    """The content of files of a table's bucket."""
    bucket = table._bucket
    return pa.concat_tables(
        [pq.read_table(pa.BufferReader(bucket.read(key))) for key in keys], promote_options="permissive"
    )


def log_of(bucket: Bucket, prefix: str, version: int) -> list[dict[str, Any]]:
    """The actions of one version, as they lie in the bucket."""
    data = bucket.read(f"{prefix}/_delta_log/{version:020d}.json")
    return [json.loads(line) for line in data.splitlines()]


def put_log(bucket: Bucket, prefix: str, version: int, actions: Sequence[Mapping[str, Any]]) -> None:
    """Write a version by hand, as some other engine would."""
    data = b"\n".join(json.dumps(action).encode() for action in actions)
    bucket.write(f"{prefix}/_delta_log/{version:020d}.json", data, if_absent=True)
