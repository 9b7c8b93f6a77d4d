"""Buckets that fail on purpose: hand-written wrappers around a real one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcp_lakehouse.errors import Conflict, LakehouseError, StorageFailed
from mcp_lakehouse.store import Bucket


class Wrapped:
    """Passes everything on to a real bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bucket, name)


class AnswerLost(Wrapped):
    """Commits arrive, their answer does not: the caller sees `error` instead."""

    def __init__(self, bucket: Bucket, error: LakehouseError) -> None:
        super().__init__(bucket)
        self.error = error

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        self.bucket.write(key, data, if_absent=if_absent)
        raise self.error


class DeadForCommits(Wrapped):
    """Takes files, then dies: neither a commit nor a look at the log gets an answer."""

    dead = False

    def write(self, *_: object, **__: object) -> None:
        self.dead = True
        raise StorageFailed("it does not answer", hint="wait")

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if self.dead:
            raise StorageFailed("it does not answer", hint="wait")
        return self.bucket.read_many(keys)


class FullAfter(Wrapped):
    """A disk that has room for so many uploads."""

    def __init__(self, bucket: Bucket, uploads: int) -> None:
        super().__init__(bucket)
        self.uploads = uploads

    def upload(self, local: Path, key: str) -> None:
        if self.uploads == 0:
            raise StorageFailed("no space left", hint="free space")
        self.uploads -= 1
        self.bucket.upload(local, key)


class FullForCommits(Wrapped):
    """A disk with room for files and none for the log."""

    def write(self, *_: object, **__: object) -> None:
        raise StorageFailed("no space left", hint="free space")


class AlwaysBeaten(Wrapped):
    """Another writer is always first."""

    def write(self, *_: object, **__: object) -> None:
        raise Conflict("exists already", hint="try again")
