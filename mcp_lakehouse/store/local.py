"""A bucket that is a folder of this machine. It must be a real local disk: NFS was not tested."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from mcp_lakehouse.errors import Conflict
from mcp_lakehouse.store.bucket import ObjectInfo, checked_key
from mcp_lakehouse.store.failures import local_failure
from mcp_lakehouse.store.probe import probe_writes
from mcp_lakehouse.store.temporary import is_temporary, temporary_beside


class LocalBucket:
    """Bytes below one folder, which is made at the first write."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.url = root.as_uri()
        self.storage_options: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"LocalBucket({self.url!r})"

    def read(self, key: str) -> bytes:
        """The whole object; raises `NotFound`."""
        with self._doing("read", key):
            return self._path(key).read_bytes()

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Small objects, in the order asked for; `None` where there is none."""
        return [self._read_or_none(key) for key in keys]

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        """Put the whole object at once; with `if_absent`, raises `Conflict` when the key exists."""
        target = self._path(key)
        with self._doing("write", key), temporary_beside(target) as temporary:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if if_absent:
                try:
                    # Unlike a rename, a link is refused when the name is taken.
                    os.link(temporary, target)
                except FileExistsError:
                    raise Conflict(
                        f"{self.url}/{key} exists already",
                        hint="another writer was first; read its version and try again",
                    ) from None
            else:
                os.replace(temporary, target)
            _sync_folder(target.parent)

    def upload(self, local: Path, key: str) -> None:
        """Put a local file, sharing its bytes where the file system can; `local` stays."""
        target = self._path(key)
        with self._doing("write", key), open(local, "rb") as source, temporary_beside(target) as temporary:
            try:
                os.link(local, temporary)
            except OSError:
                # Another file system, or one without links.
                _copied(source, temporary)
            else:
                # A descriptor for reading will do: fsync flushes the file.
                os.fsync(source.fileno())
            os.replace(temporary, target)
            _sync_folder(target.parent)

    def write_from(self, stream: BinaryIO, key: str) -> None:
        """Put all that an open file holds, all at once like `write`, without holding it in memory."""
        target = self._path(key)
        with self._doing("write", key), temporary_beside(target) as temporary:
            _copied(stream, temporary)
            os.replace(temporary, target)
            _sync_folder(target.parent)

    def download(self, key: str, to: Path) -> None:
        """Copy an object to a local path, all at once; raises `NotFound`."""
        with self._doing("copy", key), open(self._path(key), "rb") as source, temporary_beside(to) as temporary:
            with open(temporary, "wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            os.replace(temporary, to)

    def local_path(self, key: str) -> Path:
        """Where the key lies on this machine."""
        return self._path(key)

    def exists(self, key: str) -> bool:
        """Whether there is an object at the key."""
        return os.path.isfile(self._path(key))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; a key that is not there is not an error."""
        for key in keys:
            with self._doing("delete", key):
                self._path(key).unlink(missing_ok=True)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object below the folder `prefix`, at any depth."""
        waiting = [checked_key(prefix.rstrip("/"))]
        while waiting:
            folder = waiting.pop()
            for entry in self._entries(folder):
                key = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir():
                    waiting.append(key)
                elif not is_temporary(entry.name):
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat()
                        yield ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def folders(self, prefix: str = "") -> Sequence[str]:
        """Sorted names of the folders directly below `prefix`."""
        return sorted(entry.name for entry in self._entries(prefix.rstrip("/")) if entry.is_dir())

    def probe(self) -> None:
        """Prove that this folder can be written, and that of two first writers one is refused."""
        probe_writes(self)

    def _entries(self, folder: str) -> Sequence[os.DirEntry[str]]:
        with self._doing("list", folder):
            try:
                with os.scandir(self._path(folder)) as entries:
                    return list(entries)
            except (FileNotFoundError, NotADirectoryError):
                return []

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _read_or_none(self, key: str) -> bytes | None:
        with self._doing("read", key):
            try:
                return self._path(key).read_bytes()
            except FileNotFoundError:
                return None

    @contextlib.contextmanager
    def _doing(self, verb: str, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise local_failure(error, verb, key, self.url) from error


def _copied(stream: BinaryIO, to: Path) -> None:
    with open(to, "wb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a new name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
