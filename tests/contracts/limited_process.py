"""Run by the suites in a process of its own that may write files of half a megabyte at most.

`ADDRESS STAGING WHERE END`: appends the staged file `big.parquet` of `big.rows` rows. WHERE is `upload` (the bytes
are copied, as from another file system) or `commit` (the record of the commit is large). END is `killed` (by the
kernel, in the middle of the write) or `refused` (the write fails as on a full disk; the error is printed).
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from pathlib import Path

from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.store import open_bucket
from mcp_lakehouse.table import StagedFile, Table, TableColumn

LIMIT_BYTES = 1 << 19


def main(address: str, staging: str, where: str, end: str) -> None:
    path = Path(staging) / "big.parquet"
    staged = StagedFile(path, path.stat().st_size, 1, {})
    table = Table(open_bucket(address, os.environ), "tables/numbers")
    if where == "upload":
        os.link = _other_file_system
    info = {"text": "x" * 4 * LIMIT_BYTES} if where == "commit" else {}
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if end == "killed" else signal.SIG_IGN)
    try:
        table.create_or_append([TableColumn("id", "BIGINT")], [staged], info=info)
    except LakehouseError as error:
        print(type(error).__name__, error)


def _other_file_system(*_: object, **__: object) -> None:
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


if __name__ == "__main__":
    main(*sys.argv[1:5])
