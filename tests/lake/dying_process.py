"""Run by the tests in a process of its own: loads and builds, and dies at (or just after) one write of the index.

`ADDRESS SOURCE POINT [after]`: loads SOURCE into dataset `t`, builds its index, and exits with 9 when a key of the
index holds POINT.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from mcp_lakehouse import lakehouse
from mcp_lakehouse.store import Bucket, open_bucket


class DyingBucket:
    """Passes everything on, and ends the process at the point."""

    def __init__(self, bucket: Bucket, point: str, after: bool) -> None:
        self._bucket = bucket
        self._point = point
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bucket, name)

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        here = key.startswith("index/") and self._point in key
        if here and not self._after:
            os._exit(9)
        self._bucket.write(key, data, if_absent=if_absent)
        if here:
            os._exit(9)


def main(address: str, source: str, point: str, after: str) -> None:
    bucket = DyingBucket(open_bucket(address, os.environ), point, bool(after))
    lakehouse.open_bucket = lambda *_: bucket  # type: ignore[assignment]
    with lakehouse.Lakehouse.open(address, allow=[Path(source).parent]) as lake:
        lake.ingest(source, dataset="t")
        lake.build_index("t")


if __name__ == "__main__":
    main(*sys.argv[1:5])
