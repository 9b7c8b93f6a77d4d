"""Run by the tests in a mount namespace of its own, where it may mount disks: what a lake says of a bad one.

`full FOLDER` or `read_only FOLDER`: prints one JSON object, outcome by step. FOLDER holds the disk, sources and cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import LakehouseError

DISK_BYTES = 6 << 20
PAGE_BYTES = 4096


def outcome(work: Callable[[], Any]) -> dict[str, Any]:
    """What came of it: `value`, or the error's `code`, `message` and `hint`."""
    try:
        return {"value": work()}
    except LakehouseError as error:
        return {"code": error.code, "message": error.message, "hint": error.hint}


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def fill(path: Path) -> None:
    """Take all the room there is."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        while True:
            os.write(descriptor, bytes(PAGE_BYTES))
    except OSError:
        os.close(descriptor)


def give_back_a_page(path: Path) -> None:
    """Room for one small file, and not for two."""
    os.truncate(path, path.stat().st_size - PAGE_BYTES)


def data_files(lake: Lakehouse) -> int:
    return len([info for info in lake.bucket.list("tables") if info.key.endswith(".parquet")])


def full(folder: Path) -> dict[str, Any]:
    disk, source = folder / "disk", folder / "files" / "big.csv"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk))
    # Random text: as Parquet it is larger than the disk.
    source.write_text("a\n" + "\n".join(os.urandom(500).hex() for _ in range(2 * DISK_BYTES // 500)) + "\n")
    found: dict[str, Any] = {"disk": str(disk)}
    with Lakehouse.open(disk / "lake", allow=[source.parent]) as lake:
        lake.ingest({"name": "t.csv", "text": "a\nx\n"})
        found["while reading"] = outcome(lambda: lake.ingest(source, dataset="t").version)
        found["room after reading"] = os.statvfs(disk).f_bavail * PAGE_BYTES
        fill(disk / "fill")
        found["inline"] = outcome(lambda: lake.ingest({"name": "t.csv", "text": "a\ny\n"}).version)
        found["large result"] = outcome(lambda: lake.sql("FROM range(1000000)").row_count)
        found["drop"] = outcome(lambda: lake.drop_dataset("t", "t").dropped)
        found["query"] = outcome(lambda: lake.sql("FROM t").rows)
        found["describe"] = outcome(lambda: lake.describe_dataset("t").rows)
    # With local state on another disk, it is the commit itself that finds no room.
    os.environ["LAKEHOUSE_CACHE"] = str(folder / "cache")
    with Lakehouse.open(disk / "lake", allow=[source.parent]) as lake:
        fill(disk / "fill")
        found["no room for the data"] = outcome(lambda: lake.ingest({"name": "t.csv", "text": "a\ny\n"}).version)
        give_back_a_page(disk / "fill")
        found["no room for the record"] = outcome(lambda: lake.ingest({"name": "t.csv", "text": "a\ny\n"}).version)
        found["data files"] = data_files(lake)
        found["journal while full"] = lake.journal.flush()
        (disk / "fill").unlink()
        found["again"] = outcome(lambda: lake.ingest({"name": "t.csv", "text": "a\ny\n"}).version)
        found["rows"] = lake.sql("FROM t ORDER BY a").rows
        found["journal"] = lake.sql("SELECT operation, code FROM system.errors ORDER BY time").rows
    # With local state on the full disk, and a rescue bucket on another.
    del os.environ["LAKEHOUSE_CACHE"]
    os.environ["LAKEHOUSE_RESCUE"] = str(folder / "rescue")
    with Lakehouse.open(disk / "lake", allow=[source.parent]) as lake:
        fill(disk / "fill")
        found["rescued inline"] = outcome(lambda: lake.ingest({"name": "t.csv", "text": "a\nz\n"}).version)
        small = source.with_name("small.csv")
        small.write_text("a\nzz\n")
        found["rescued file"] = outcome(lambda: lake.ingest(small, dataset="t").version)
        (disk / "fill").unlink()
        found["replayed"] = [each.version for each in lake.replay_rescued().entries]
        found["rows after"] = lake.sql("FROM t ORDER BY a").rows
    return found


def read_only(folder: Path) -> dict[str, Any]:
    place = folder / "lake"
    with Lakehouse.open(place, allow=[folder / "files"]) as lake:
        for number in range(2):
            lake.ingest({"name": "t.csv", "text": f"a\n{number}\n"})
    mount("--bind", str(place), str(place))
    mount("-o", "remount,bind,ro", str(place))
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    found: dict[str, Any] = {}
    with Lakehouse.open(place, allow=[folder / "files"]) as lake:
        found["cache"] = str(lake.results.folder)
        found["query"] = outcome(lambda: lake.sql("FROM t ORDER BY a").rows)
        found["large result"] = outcome(lambda: lake.sql("FROM range(1000000)").row_count)
        found["list"] = outcome(lambda: [each.name for each in lake.list_datasets().datasets])
        found["describe"] = outcome(lambda: lake.describe_dataset("t").rows)
        found["journal"] = outcome(lambda: lake.sql("SELECT count(*) FROM system.errors").rows)
        found["writes"] = {
            "ingest": outcome(lambda: lake.ingest({"name": "t.csv", "text": "a\n2\n"}).version),
            "first ingest": outcome(lambda: lake.ingest({"name": "new.csv", "text": "a\n2\n"}).version),
            "drop": outcome(lambda: lake.drop_dataset("t", "t").dropped),
            "compact": outcome(lambda: lake.compact("t")),
        }
        found["query after"] = outcome(lambda: lake.sql("FROM t ORDER BY a").rows)
    os.environ["XDG_CACHE_HOME"] = str(place / "cache")
    found["no place for a cache"] = outcome(lambda: Lakehouse.open(place).close())
    return found


if __name__ == "__main__":
    print(json.dumps({"full": full, "read_only": read_only}[sys.argv[1]](Path(sys.argv[2]))))
