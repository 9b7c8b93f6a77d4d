"""Run by the tests in a process of its own: vacuums or forgets, and dies at (or just after) one change of the bucket.

`ADDRESS VERB NUMBER [after]`: opens the lake, does VERB (`vacuum`, `erase` or `forget`) to dataset `t`, and exits
with 9 at the change of that number, from 0. Prints the number of changes and exits with 0 when there were fewer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mcp_lakehouse import lakehouse
from mcp_lakehouse.retention import clock
from mcp_lakehouse.store import Bucket, open_bucket


class EndingBucket:
    """Passes everything on, and ends the process at the change; of several keys to delete half are gone then."""

    def __init__(self, bucket: Bucket, number: int, after: bool) -> None:
        self._bucket = bucket
        self._left = number
        self._after = after
        self.changes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bucket, name)

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        end = self._reached()
        if end and not self._after:
            os._exit(9)
        self._bucket.write(key, data, if_absent=if_absent)
        if end:
            os._exit(9)

    def upload(self, local: Path, key: str) -> None:
        end = self._reached()
        if end and not self._after:
            os._exit(9)
        self._bucket.upload(local, key)
        if end:
            os._exit(9)

    def delete(self, keys: Iterable[str]) -> None:
        wanted = list(keys)
        if not wanted:
            return
        end = self._reached()
        self._bucket.delete(wanted[: len(wanted) // 2] if end and not self._after else wanted)
        if end:
            os._exit(9)

    def _reached(self) -> bool:
        self.changes += 1
        return self.changes - 1 == self._left


def main(address: str, verb: str, number: str, after: str) -> None:
    bucket = EndingBucket(open_bucket(address, os.environ), int(number), bool(after))
    lakehouse.open_bucket = lambda *_: bucket  # type: ignore[assignment]
    if verb == "erase":
        clock.bucket_time = lambda _: datetime.now(UTC) + timedelta(days=2)
    with lakehouse.Lakehouse.open(address) as lake:
        if verb == "forget":
            lake.forget("t", "name = 'Zaphodqx'", "t")
        else:
            lake.vacuum("t", at_once=True)
    print(bucket.changes)


if __name__ == "__main__":
    main(*sys.argv[1:5])
