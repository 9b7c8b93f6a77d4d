"""What every bucket can do. A key is a relative path with `/` between its parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from mcp_lakehouse.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object: its key, size in bytes, and the UTC time it was last written."""

    key: str
    bytes: int
    modified: datetime


class Bucket(Protocol):
    """Bytes under keys. Safe to share between threads.

    Every method may raise `StorageFailed` (full disk, read-only folder, dead or refusing server);
    a server that does not answer is given up within 20 seconds. Keys that try to leave the bucket
    raise `InvalidInput`.
    """

    @property
    def url(self) -> str:
        """Canonical address: `file:///absolute/folder` or `s3://bucket/prefix`."""
        ...

    @property
    def storage_options(self) -> Mapping[str, str]:
        """What another engine needs to reach the same place. Holds credentials: never print it."""
        ...

    def read(self, key: str) -> bytes:
        """The whole object; raises `NotFound`."""
        ...

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Small objects, in the order asked for; `None` where there is none."""
        ...

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        """Put the whole object at once: a reader sees all of it or what was there before.

        With `if_absent`, raises `Conflict` when the key exists; of several writers exactly one wins.
        """
        ...

    def upload(self, local: Path, key: str) -> None:
        """Put a local file, all at once like `write`.

        `local` stays where it is. It must be deleted and never written to: a local bucket on the same file
        system takes its bytes under a second name instead of copying them.
        """
        ...

    def write_from(self, stream: BinaryIO, key: str) -> None:
        """Put all that an open file holds, all at once like `write`, without holding it in memory."""
        ...

    def download(self, key: str, to: Path) -> None:
        """Copy an object to a local path, all at once; raises `NotFound`."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Where the key lies on this machine, or `None` if it does not."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is an object at the key."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; a key that is not there is not an error."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object below the folder `prefix`, at any depth, in no promised order."""
        ...

    def folders(self, prefix: str = "") -> Sequence[str]:
        """Sorted names of the folders directly below `prefix`. A local one may be empty."""
        ...

    def probe(self) -> None:
        """Prove that this bucket can be written, and that of two first writers one is refused."""
        ...


def checked_key(key: str) -> str:
    """The key, if it stays inside its bucket; `""` is the bucket itself. Raises `InvalidInput`."""
    if key and (key.startswith("/") or "\0" in key or any(part in ("", ".", "..") for part in key.split("/"))):
        raise InvalidInput(
            f"not a key of a bucket: {key!r}", hint="a key is a relative path without empty parts, '.' or '..'"
        )
    return key
