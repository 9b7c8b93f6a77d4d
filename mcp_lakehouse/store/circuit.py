"""A bucket that is not asked while it does not answer, so that a dead server is waited for once in a while only."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from mcp_lakehouse.errors import StorageFailed, Unreachable
from mcp_lakehouse.store.bucket import Bucket, ObjectInfo

# After the first failure, and doubled with each that follows.
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0


class Circuit:
    """Hands everything to `bucket`. After an `Unreachable` it refuses calls for a while, then lets one try.

    `clock` is a monotonic one, in seconds.
    """

    def __init__(self, bucket: Bucket, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._bucket = bucket
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0
        self._trying = False
        self._why: Unreachable | None = None

    def __repr__(self) -> str:
        return f"Circuit({self._bucket!r})"

    @property
    def url(self) -> str:
        """Canonical address."""
        return self._bucket.url

    @property
    def storage_options(self) -> Mapping[str, str]:
        """What another engine needs to reach the same place. Holds credentials: never print it."""
        return self._bucket.storage_options

    @property
    def closed(self) -> bool:
        """Whether the last call that got through was answered."""
        return self._why is None

    def read(self, key: str) -> bytes:
        """The whole object."""
        with self._passing():
            return self._bucket.read(key)

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Small objects, in the order asked for."""
        with self._passing():
            return self._bucket.read_many(keys)

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        """Put the whole object at once."""
        with self._passing():
            self._bucket.write(key, data, if_absent=if_absent)

    def upload(self, local: Path, key: str) -> None:
        """Put a local file."""
        with self._passing():
            self._bucket.upload(local, key)

    def write_from(self, stream: BinaryIO, key: str) -> None:
        """Put all that an open file holds."""
        with self._passing():
            self._bucket.write_from(stream, key)

    def download(self, key: str, to: Path) -> None:
        """Copy an object to a local path."""
        with self._passing():
            self._bucket.download(key, to)

    def local_path(self, key: str) -> Path | None:
        """Where the object lies on this machine, if it does."""
        return self._bucket.local_path(key)

    def exists(self, key: str) -> bool:
        """Whether there is an object at the key."""
        with self._passing():
            return self._bucket.exists(key)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects."""
        with self._passing():
            self._bucket.delete(keys)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object below the folder `prefix`."""
        with self._passing():
            yield from self._bucket.list(prefix)

    def folders(self, prefix: str = "") -> Sequence[str]:
        """Sorted names of the folders directly below `prefix`."""
        with self._passing():
            return self._bucket.folders(prefix)

    def probe(self) -> None:
        """Prove that this bucket can be written, and that of two first writers one is refused."""
        with self._passing():
            self._bucket.probe()

    @contextlib.contextmanager
    def _passing(self) -> Iterator[None]:
        self._enter()
        try:
            yield
        except Unreachable as error:
            with self._lock:
                pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 30))
                self._failures += 1
                self._until = self._clock() + pause
                self._why = error
                self._trying = False
            raise
        except Exception:
            # It answered, if only to refuse.
            self._answered()
            raise
        except BaseException:
            # Whoever reads a listing may stop; that says nothing.
            with self._lock:
                self._trying = False
            raise
        else:
            self._answered()

    def _enter(self) -> None:
        with self._lock:
            if self._why is None:
                return
            left = self._until - self._clock()
            if left > 0 or self._trying:
                soon = f"in {max(1, round(left))} s" if left > 0 else "at this moment by another call"
                raise StorageFailed(
                    f"bucket {self._name!r} does not answer, and is tried again {soon}: {self._why.message}",
                    hint=self._why.hint,
                )
            self._trying = True

    def _answered(self) -> None:
        with self._lock:
            self._failures = 0
            self._why = None
            self._trying = False
