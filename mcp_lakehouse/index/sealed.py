"""Index files with a manifest beside them: written at once, and opened only after every word of it holds.

The libraries that read these files trust them: a damaged one crashes the process or answers wrongly.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from mcp_lakehouse.errors import StorageFailed

_CHUNK = 1 << 20
# A file that was written again within the clock's step looks like the one before.
_SETTLED_SECONDS = 2.0

Facts = Mapping[str, str | int | float]


def write_sealed(path: Path, facts: Facts, write: Callable[[Path], None]) -> None:
    """Put `path` (made by `write` under another name) and its manifest in place; a crash leaves none or an old pair."""
    from mcp_lakehouse.scratch import Scratch

    scratch: Scratch | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Scratch(path.parent / ".building")
        made = scratch.path / path.name
        write(made)
        _flush(made)
        body = json.dumps({**facts, "bytes": made.stat().st_size, "sha256": _hashed(made)}, sort_keys=True)
        sealed = scratch.path / "manifest"
        sealed.write_text(f"{body}\n{hashlib.sha256(body.encode()).hexdigest()}\n", encoding="utf-8")
        _flush(sealed)
        with _alone(path.parent / ".building" / "placing"):
            # Without its manifest, whatever lies at `path` is nothing.
            manifest_of(path).unlink(missing_ok=True)
            os.replace(made, path)
            os.replace(sealed, manifest_of(path))
            _flush(path.parent)
    except OSError as error:
        raise StorageFailed(
            f"{path.name} could not be written: {error.strerror or error}",
            hint="make room, or allow writing, in the cache folder (LAKEHOUSE_CACHE)",
        ) from error
    finally:
        if scratch is not None:
            scratch.close()


def sealed(path: Path, facts: Facts) -> bool:
    """Whether the file is the one that was written with exactly these facts."""
    try:
        written = _manifest(path)
        status = path.stat()
        if written is None or {**facts, "bytes": status.st_size, "sha256": written.get("sha256")} != written:
            return False
        stamp = (str(path), status.st_size, status.st_mtime_ns, status.st_ino)
        settled = time.time_ns() - status.st_mtime_ns > _SETTLED_SECONDS * 1e9
        return bool((_hashed_once(*stamp) if settled else _hashed(path)) == written["sha256"])
    except OSError:
        return False


def facts_of(path: Path) -> Facts:
    """What the manifest says; empty when there is none that holds."""
    try:
        return _manifest(path) or {}
    except OSError:
        return {}


def manifest_of(path: Path) -> Path:
    """The manifest's place."""
    return path.with_name(f"{path.name}.manifest")


def _manifest(path: Path) -> dict[str, str | int | float] | None:
    lines = manifest_of(path).read_bytes().split(b"\n")
    if len(lines) != 3 or lines[2] or hashlib.sha256(lines[0]).hexdigest().encode() != lines[1]:
        return None
    found = json.loads(lines[0])
    return found if isinstance(found, dict) else None


@lru_cache(maxsize=1024)
def _hashed_once(path: str, _size: int, _modified: int, _inode: int) -> str:
    return _hashed(Path(path))


def _hashed(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One writer at a time, of all processes, puts its pair in place."""
    with open(lock, "wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
