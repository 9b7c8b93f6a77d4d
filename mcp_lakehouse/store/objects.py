"""A bucket on object storage. Commits rest on conditional writes (S3: `If-None-Match: *`), which `probe` checks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from mcp_lakehouse.errors import NotFound, StorageFailed
from mcp_lakehouse.limits import MIB
from mcp_lakehouse.store.bucket import ObjectInfo, checked_key
from mcp_lakehouse.store.failures import local_failure, object_failure
from mcp_lakehouse.store.probe import probe_writes
from mcp_lakehouse.store.services import CONNECT_SECONDS, RETRIES, RETRY_SECONDS, SILENCE_SECONDS, Service, opened
from mcp_lakehouse.store.temporary import temporary_beside

PARALLEL_READS = 8
# A part counts as silence until it has arrived, so an uplink has to carry 1.3 MB/s.
PART_BYTES = 5 * MIB
PARALLEL_PARTS = 2


class ObjectBucket:
    """Bytes below one prefix of one bucket. `options` are the service's variables in force."""

    def __init__(self, service: Service, bucket: str, prefix: str, options: Mapping[str, str]) -> None:
        self.url = f"{service.scheme}://{bucket}/{prefix}".rstrip("/")
        self.storage_options: Mapping[str, str] = {
            **options,
            # The table library knows no limit on silence, only one on the whole request.
            "timeout": f"{2 * SILENCE_SECONDS}s",
            "connect_timeout": f"{CONNECT_SECONDS}s",
            "max_retries": str(RETRIES),
            "retry_timeout": f"{RETRY_SECONDS}s",
        }
        self._service = service
        self._endpoint = _host(options.get(service.endpoint, ""))
        self._store = opened(service, bucket, prefix, options)

    def __repr__(self) -> str:
        return f"ObjectBucket({self.url!r})"

    def read(self, key: str) -> bytes:
        """The whole object; raises `NotFound`."""
        with self._doing("read", key):
            return bytes(self._store.get(checked_key(key)).bytes())

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Small objects, in the order asked for and fetched side by side; `None` where there is none."""
        if len(keys) < 2:
            return [self._read_or_none(key) for key in keys]
        with ThreadPoolExecutor(PARALLEL_READS, thread_name_prefix="bucket-read") as pool:
            return list(pool.map(self._read_or_none, keys))

    def write(self, key: str, data: bytes, *, if_absent: bool = False) -> None:
        """Put the whole object at once; with `if_absent`, raises `Conflict` when the key exists."""
        with self._doing("write", key):
            self._store.put(checked_key(key), data, mode="create" if if_absent else "overwrite", use_multipart=False)

    def upload(self, local: Path, key: str) -> None:
        """Put a local file in parts; it appears when the last part has arrived. `local` stays."""
        with self._doing("write", key):
            self._store.put(checked_key(key), local, chunk_size=PART_BYTES, max_concurrency=PARALLEL_PARTS)

    def write_from(self, stream: BinaryIO, key: str) -> None:
        """Put all that an open file holds, in parts; it appears when the last part has arrived."""
        with self._doing("write", key):
            self._store.put(checked_key(key), stream, chunk_size=PART_BYTES, max_concurrency=PARALLEL_PARTS)

    def download(self, key: str, to: Path) -> None:
        """Copy an object to a local path, all at once; raises `NotFound`."""
        with self._doing("copy", key), temporary_beside(to) as temporary:
            found = self._store.get(checked_key(key))
            with _writing_below(to.parent), open(temporary, "wb") as file:
                for chunk in found.stream(min_chunk_size=PART_BYTES):
                    file.write(chunk)
            if temporary.stat().st_size != found.meta["size"]:
                raise StorageFailed(f"cannot copy {self.url}/{key}: it ended early", hint="run it again")
            os.replace(temporary, to)

    def local_path(self, key: str) -> None:
        """Nothing here lies on this machine."""
        checked_key(key)

    def exists(self, key: str) -> bool:
        """Whether there is an object at the key."""
        try:
            with self._doing("look for", key):
                self._store.head(checked_key(key))
        except NotFound:
            return False
        return True

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; a key that is not there is not an error."""
        wanted = [checked_key(key) for key in keys]
        if wanted:
            with self._doing("delete", wanted[0]):
                self._store.delete(wanted)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object below the folder `prefix`, at any depth."""
        with self._doing("list", prefix):
            for page in self._store.list(checked_key(prefix.rstrip("/")) or None):
                for item in page:
                    yield ObjectInfo(item["path"], item["size"], item["last_modified"])

    def folders(self, prefix: str = "") -> Sequence[str]:
        """Sorted names of the folders directly below `prefix`."""
        with self._doing("list", prefix):
            found = self._store.list_with_delimiter(checked_key(prefix.rstrip("/")) or None)
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found["common_prefixes"])

    def probe(self) -> None:
        """Prove that this bucket can be written, and that of two first writers one is refused."""
        probe_writes(self)

    def _read_or_none(self, key: str) -> bytes | None:
        try:
            return self.read(key)
        except NotFound:
            return None

    @contextlib.contextmanager
    def _doing(self, verb: str, key: str) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                # Of this machine: a full disk while copying, an unreadable file while uploading.
                raise local_failure(error, verb, key, self.url) from error
            # Not chained: the library's text quotes the server's reply.
            raise object_failure(error, verb, key, self.url, self._endpoint, self._service) from None


@contextlib.contextmanager
def _writing_below(folder: Path) -> Iterator[None]:
    """What the system says of a write is about this machine's disk, not about the bucket."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise local_failure(error, "write", "", str(folder)) from error


def _host(endpoint: str) -> str:
    """The endpoint without what it may carry besides host and port (user, password, path)."""
    parts = urlsplit(endpoint)
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or "the storage service"
