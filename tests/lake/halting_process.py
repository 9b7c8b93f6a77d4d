"""Run by the tests in a process of its own: a load that halts at a named point, to be killed there.

`ADDRESS SOURCE WHERE`: loads SOURCE into dataset `t`, prints `halted` and waits. WHERE is `reading` (the worker has
its request), `recording` (the data is in place, the commit's record is not),
`recorded` (just after).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from mcp_lakehouse import lakehouse
from mcp_lakehouse.store import Bucket, open_bucket
from mcp_lakehouse.worker.channel import Channel, Message


def halt() -> None:
    print("halted", flush=True)
    sys.stdin.read()


class HaltingBucket:
    """Passes everything on, and halts at the point."""

    def __init__(self, bucket: Bucket, where: str) -> None:
        self._bucket = bucket
        self._where = where

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bucket, name)

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        record = key.startswith("tables/")
        if record and self._where == "recording":
            halt()
        self._bucket.write(key, data, if_absent=if_absent)
        if record and self._where == "recorded":
            halt()


class HaltingChannel(Channel):
    """Halts when a load has been asked for."""

    def send(self, message: Message) -> None:
        super().send(message)
        if message.get("op") == "load":
            halt()


def main(address: str, source: str, where: str) -> None:
    bucket = HaltingBucket(open_bucket(address, os.environ), where)
    lakehouse.open_bucket = lambda *_: bucket  # type: ignore[assignment]
    if where == "reading":
        from mcp_lakehouse.worker import process

        process.Channel = HaltingChannel  # type: ignore[misc]
    with lakehouse.Lakehouse.open(address, allow=[Path(source).parent]) as lake:
        lake.ingest(source, dataset="t")


if __name__ == "__main__":
    main(*sys.argv[1:4])
