"""A vacuum, the removal of a dropped dataset, and forgetting, each broken off at every change of the bucket.

After each the lake opens, the newest version is whole, nothing that can be read has lost a file, and doing it again
finishes it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lake.places import Place, folder_place, inline, rows
from lake.test_forget import HEAD, NAME, OTHERS, ROW, WHERE, holding
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import LakehouseError, NotFound
from mcp_lakehouse.retention import clock
from mcp_lakehouse.store import Bucket


class Ended(BaseException):
    """Nothing of the process goes on."""


class EndingBucket:
    """Passes everything on until the change of a number, of which half is done; from then on nothing goes through."""

    def __init__(self, bucket: Bucket, number: int) -> None:
        self._bucket = bucket
        self._left = number
        self.changes = 0

    def __getattr__(self, name: str) -> Any:
        if self.changes > self._left:
            raise Ended
        return getattr(self._bucket, name)

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        self._change()
        self._bucket.write(key, data, if_absent=if_absent)

    def upload(self, local: Path, key: str) -> None:
        self._change()
        self._bucket.upload(local, key)

    def delete(self, keys: Iterable[str]) -> None:
        wanted = list(keys)
        if not wanted:
            return
        try:
            self._change()
        except Ended:
            if self.changes == self._left + 1:
                self._bucket.delete(wanted[: (len(wanted) + 1) // 2])
            raise
        self._bucket.delete(wanted)

    def _change(self) -> None:
        self.changes += 1
        if self.changes > self._left:
            raise Ended


def ending(lake: Lakehouse, number: int) -> EndingBucket:
    """Let the tables of a lake be changed so often and no more."""
    bucket = EndingBucket(lake.bucket, number)
    for home in lake.catalog.homes:
        object.__setattr__(home, "bucket", bucket)
        lake.catalog.forget("t")
    return bucket


def place_like(place: Place, tmp_path: Path, number: int) -> Place:
    """A lake of its own of the same kind."""
    if place.kind == "folder":
        return folder_place(tmp_path / str(number))
    return Place("s3", f"{place.address}/{uuid4().hex}", place.files, tmp_path / f"cache{number}", place.environment)


def whole(lake: Lakehouse) -> list[int]:
    """The versions of `t` that can be read, after a look at each of their files."""
    table = lake.catalog.table("t")
    readable = []
    for version in range((table.head() or 0) + 1):
        try:
            snapshot = table.snapshot(version)
        except NotFound:
            continue
        readable.append(version)
        assert [file.key for file in snapshot.files if not lake.bucket.exists(file.key)] == []
    return readable


def filled(place: Place) -> None:
    with place.open() as lake:
        for number in range(4):
            lake.ingest(inline("t", f"a,b\n1,value {number}\n"), mode="upsert", key="a")


def settings(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("LAKEHOUSE_KEEP_DAYS", "0")
    patch.setenv("LAKEHOUSE_KEEP_VERSIONS", "1")


def test_a_vacuum(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(monkeypatch)
    for number in range(50):
        own = place_like(place, tmp_path, number)
        filled(own)
        with own.open() as lake:
            bucket = ending(lake, number)
            try:
                lake.vacuum("t", at_once=True)
            except Ended:
                pass
            else:
                assert bucket.changes == number
                break
        with own.open() as lake:
            assert whole(lake)[-1] >= 3
            lake.vacuum("t", at_once=True)
            assert whole(lake) == [3, 4]
            assert sum(info.key.endswith(".parquet") for info in lake.bucket.list("tables/t")) == 1
    assert number >= 3


def test_the_removal_of_a_dropped_dataset(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(monkeypatch)
    # Storage makes no difference to the order of the steps, so one kind is broken off at each, the other at some.
    for number in range(0, 50, 1 if place.kind == "folder" else 4):
        own = place_like(place, tmp_path, number)
        filled(own)
        with own.open() as lake, pytest.MonkeyPatch.context() as patch:
            lake.drop_dataset("t", "t")
            patch.setattr(clock, "bucket_time", lambda _: datetime.now(UTC) + timedelta(days=2))
            bucket = ending(lake, number)
            try:
                lake.vacuum("t")
            except Ended:
                pass
            else:
                assert bucket.changes <= number
                break
        with own.open() as lake:
            gone = ""
            try:
                lake.restore_dataset("t")
            except NotFound as error:
                gone = error.message
            if gone:
                assert "vacuumed on" in gone
                lake.vacuum("t", at_once=True)
                left = b"".join(lake.bucket.read(info.key) for info in lake.bucket.list("tables/t"))
                assert b"t.csv" not in left
                assert not any(info.key.endswith(".parquet") for info in lake.bucket.list("tables/t"))
                assert lake.ingest(inline("t", "a\n1\n")).rows_added == 1
            else:
                assert whole(lake) == [0, 1, 2, 3, 4, 5]
    assert number >= 5


def test_forgetting(tmp_path: Path) -> None:
    number = 0
    for number in range(0, 60, 2):
        own = folder_place(tmp_path / str(number))
        with own.open() as lake:
            lake.ingest(inline("t", HEAD + ROW))
            lake.ingest(inline("t", HEAD + OTHERS))
            bucket = ending(lake, number)
            try:
                lake.forget("t", WHERE, "t")
            except Ended:
                pass
            else:
                assert bucket.changes <= number
                break
        with own.open() as lake:
            assert whole(lake)
            assert rows(lake, f"SELECT count(*) FROM t WHERE name <> '{NAME}'") == [[2]]
            assert lake.forget("t", WHERE, "t").verified
            assert holding(lake) == []
    assert number >= 6


@pytest.mark.parametrize(("verb", "number"), [("vacuum", "1"), ("vacuum", "2"), ("forget", "3")])
def test_a_process_that_is_killed(tmp_path: Path, verb: str, number: str) -> None:
    own = folder_place(tmp_path)
    with own.open() as lake:
        lake.ingest(inline("t", HEAD + OTHERS + ROW), mode="upsert", key="id")
        lake.ingest(inline("t", HEAD + OTHERS), mode="upsert")
    script = str(Path(__file__).with_name("ending_process.py"))
    with pytest.MonkeyPatch.context() as patch:
        settings(patch)
        done = subprocess.run([sys.executable, script, own.address, verb, number, ""], capture_output=True, timeout=60)
        assert done.returncode == 9, done.stderr
        with own.open() as lake:
            assert whole(lake)
            assert lake.forget("t", WHERE, "t").verified
            lake.vacuum(at_once=True)
            assert holding(lake) == []
            assert rows(lake, "SELECT count(*) FROM t") == [[2]]


@pytest.mark.parametrize("verb", ["vacuum", "forget"])
def test_a_bucket_that_fails_is_told_and_loses_nothing(prepared: Place, verb: str) -> None:
    with prepared.open() as lake, prepared.open(read_only=True) as reader:
        with pytest.raises(LakehouseError, match="read-only"):
            reader.vacuum("t") if verb == "vacuum" else reader.forget("t", "a = 1", "t")
        assert rows(lake, "FROM t") == [[1, "x"]]
