"""Files of a bucket as paths on this machine: the files themselves, or copies of immutable remote ones."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from mcp_lakehouse.errors import StorageFailed
from mcp_lakehouse.limits import GIB
from mcp_lakehouse.store.bucket import Bucket

_PARALLEL_DOWNLOADS = 8
_KEPT_BYTES = 20 * GIB
# A copy that a statement may be about to open is not removed.
_KEPT_SECONDS = 3600.0


class StoredFile(Protocol):
    """An immutable file: where it is in the bucket, and its size."""

    @property
    def key(self) -> str: ...
    @property
    def bytes(self) -> int: ...


class Copies(Protocol):
    """Paths of a bucket's files on this machine. `folder`: where they lie, unless the bucket itself is a folder."""

    folder: Path

    def path(self, file: StoredFile) -> Path:
        """The path of one file. Raises `StorageFailed` when it cannot be had."""

    def paths(self, files: Sequence[StoredFile]) -> list[Path]:
        """The paths of files, in their order."""

    def keep(self, files: Sequence[StoredFile]) -> None:
        """Have the files that `paths` named still there."""


class LocalCopies:
    """Gives paths; fetches what is not on this machine yet, several files at a time."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket = bucket
        self.folder = folder
        self._local = bucket.local_path("") is not None
        if not self._local:
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, file: StoredFile) -> Path:
        """The path of one file. Raises `StorageFailed` when it cannot be fetched or has another size."""
        return self._bucket.local_path(file.key) or self.paths([file])[0]

    def paths(self, files: Sequence[StoredFile]) -> list[Path]:
        """The paths of files, in their order."""
        if self._local:
            return [self.path(file) for file in files]
        missing = [file for file in files if not self._present(file)]
        if missing:
            with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
                list(pool.map(self._fetch, missing))
        return [self._place(file) for file in files]

    def keep(self, files: Sequence[StoredFile]) -> None:
        """Have the files that `paths` named still there."""
        if not self._local:
            self.paths(files)

    def _place(self, file: StoredFile) -> Path:
        return self.folder / f"{_name(file.key)}.parquet"

    def _present(self, file: StoredFile) -> bool:
        path = self._place(file)
        with contextlib.suppress(OSError):
            if path.stat().st_size == file.bytes:
                # The time of use decides what goes first when room is needed.
                os.utime(path)
                return True
        return False

    def _fetch(self, file: StoredFile) -> None:
        path = self._place(file)
        self._make_room(file.bytes)
        part = path.with_suffix(f".{secrets.token_hex(4)}.part")
        try:
            self._bucket.download(file.key, part)
            if part.stat().st_size != file.bytes:
                raise StorageFailed(
                    f"{file.key} has {part.stat().st_size:,} bytes, its table says {file.bytes:,}",
                    hint="the object was changed or cut by something else; restore it, or go back a version",
                )
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    def _make_room(self, needed: int) -> None:
        entries = []
        with os.scandir(self.folder) as found:
            for entry in found:
                with contextlib.suppress(OSError):
                    status = entry.stat()
                    entries.append((status.st_mtime, status.st_size, entry.path))
        total = sum(size for _, size, _ in entries) + needed
        for used, size, name in sorted(entries):
            if total <= _KEPT_BYTES or time.time() - used < _KEPT_SECONDS:
                return
            with contextlib.suppress(OSError):
                os.unlink(name)
                total -= size


def drop_copies(folder: Path, keys: Iterable[str]) -> int:
    """Remove what a folder of copies holds of some files, whole or not; returns how much that was."""
    found = [path for key in keys for path in folder.glob(f"{_name(key)}.*")] if folder.is_dir() else []
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
