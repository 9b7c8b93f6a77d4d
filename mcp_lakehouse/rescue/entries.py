"""What is kept of a refused write: its sources' bytes, and last of all the request that says what to do with them.

rescued/<id>/00000/data.csv …      as the load was given them
rescued/<id>/request.json          written last and removed first: an entry is whole, or not there
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import LakehouseError, NotFound, StorageFailed, UnreadableSource, UnsupportedLake, from_wire
from mcp_lakehouse.ingest.files import SourceFile, open_regular, source_file
from mcp_lakehouse.store.bucket import Bucket, checked_key

FORMAT = 1
JOURNAL = "journal-"
_FOLDER = "rescued"
_REQUEST = "request.json"
_ID = re.compile(r"[\w-]{1,80}", re.ASCII)
_TIME = "%Y%m%dT%H%M%S%f"
# Of files whose request never came, or has gone; a big one may take long to arrive.
_ORPHANED = timedelta(days=1)
_NAME_CHARS = 100


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One source: what it was called, and where it lies in the entry; or why it could not be read even then."""

    name: str
    key: str = ""
    bytes: int = 0
    sheet: str | None = None
    problem: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A refused load. `at`: when it was asked for; `bucket`: where the dataset is, or is to be, if that is known."""

    id: str
    dataset: str
    mode: str
    at: str
    who: str
    trace_id: str | None
    error: Mapping[str, str | None]
    files: Sequence[KeptFile]
    key: Sequence[str] | None = None
    text: Sequence[str] | None = None
    description: str | None = None
    bucket: str | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Rows of the lake's own journals that could not be written before it was closed, by the journal's name."""

    id: str
    at: str
    rows: Mapping[str, Sequence[Mapping[str, object]]]


def new_id() -> str:
    """Ids sort by time."""
    return f"{datetime.now(UTC).strftime(_TIME)}-{secrets.token_hex(4)}"


def moment_of(id: str) -> datetime:
    """When an id was made."""
    return datetime.strptime(id.removeprefix(JOURNAL).partition("-")[0], _TIME).replace(tzinfo=UTC)


# Keeping ----------------------------------------------------------------------------------------


def keep_files(bucket: Bucket, id: str, files: Sequence[SourceFile], cancel: CancelToken) -> list[KeptFile]:
    """Copy sources into an entry, as a stream. Raises `StorageFailed`, `Cancelled`, and if none is left to read."""
    kept: list[KeptFile] = []
    placed: dict[Path, KeptFile] = {}
    for number, file in enumerate(files):
        cancel.check()
        if file.problem is not None:
            kept.append(KeptFile(file.name, sheet=file.sheet, problem=told(file.problem)))
            continue
        # Several sheets of one workbook need it once.
        if (same := placed.get(file.path)) is not None:
            kept.append(KeptFile(file.name, same.key, same.bytes, file.sheet))
            continue
        try:
            stream = open_regular(file.path, file.name)
        except (UnreadableSource, NotFound) as error:
            if len(files) == 1:
                raise
            kept.append(KeptFile(file.name, sheet=file.sheet, problem=told(error)))
            continue
        with stream:
            key = f"{number:05d}/{_plain(file)}"
            bucket.write_from(stream, _key(id, key))
            kept.append(KeptFile(file.name, key, stream.tell(), file.sheet))
            placed[file.path] = kept[-1]
    return kept


def keep_text(bucket: Bucket, id: str, name: str, text: str) -> list[KeptFile]:
    """Put inline text into an entry. Raises `StorageFailed`."""
    data = text.encode("utf-8", "replace")
    file = SourceFile(Path(), name, "", len(data))
    key = f"{0:05d}/{_plain(file)}"
    bucket.write(_key(id, key), data)
    return [KeptFile(name, key, len(data))]


def seal(bucket: Bucket, entry: Entry | JournalEntry) -> None:
    """Make an entry one that is there. Raises `StorageFailed`."""
    content = {"format": FORMAT, **asdict(entry)}
    bucket.write(_key(entry.id, _REQUEST), json.dumps(content, ensure_ascii=False, indent=1, default=_plainly).encode())


def told(error: LakehouseError) -> dict[str, str | None]:
    """An error as an entry holds it."""
    return {"code": error.code, "message": error.message, "hint": error.hint}


# Reading ----------------------------------------------------------------------------------------


def waiting(bucket: Bucket) -> list[str]:
    """The ids of the entries, oldest first. Raises `StorageFailed`."""
    parts = (info.key.split("/") for info in bucket.list(_FOLDER))
    ids = (part[1] for part in parts if len(part) == 3 and part[2] == _REQUEST and _ID.fullmatch(part[1]))
    return sorted(ids, key=lambda id: id.removeprefix(JOURNAL))


def entries(bucket: Bucket, ids: Sequence[str]) -> list[tuple[str, Entry | JournalEntry | UnsupportedLake]]:
    """Ids with their entries; those that have gone since are left out, in place of a damaged one is its error."""
    found = zip(ids, bucket.read_many([_key(id, _REQUEST) for id in ids]), strict=True)
    return [(id, _entry(bucket, id, data)) for id, data in found if data is not None]


def is_there(bucket: Bucket, id: str) -> bool:
    """Whether an entry is (still) there."""
    return bucket.exists(_key(id, _REQUEST))


def fetched(bucket: Bucket, entry: Entry, folder: Path, cancel: CancelToken) -> list[SourceFile]:
    """The sources of an entry as files below `folder`, under their own names. Raises `StorageFailed`, `NotFound`."""
    files = []
    for kept in entry.files:
        cancel.check()
        path = folder / checked_key(kept.key)
        if kept.problem is not None:
            problem = from_wire(
                str(kept.problem.get("code")), str(kept.problem.get("message")), kept.problem.get("hint")
            )
            files.append(SourceFile(path, kept.name, "", 0, kept.sheet, problem=problem))
            continue
        if not path.exists():
            bucket.download(_key(entry.id, kept.key), path)
        if (size := path.stat().st_size) != kept.bytes:
            raise StorageFailed(
                f"{_key(entry.id, kept.key)} has {size:,} bytes, its request says {kept.bytes:,}",
                hint="something else changed it: restore that object in the rescue bucket, or load the source again",
            )
        files.append(source_file(path, kept.name, kept.sheet, may_be_empty=len(entry.files) > 1))
    return files


def _entry(bucket: Bucket, id: str, data: bytes) -> Entry | JournalEntry | UnsupportedLake:
    where = f"{bucket.url}/{_key(id, _REQUEST)}"
    try:
        content: dict[str, Any] = json.loads(data)
        if content.pop("format") != FORMAT:
            return UnsupportedLake(f"{where} was written by a newer version", hint="upgrade mcp-lakehouse")
        if content["id"] != id:
            raise ValueError("it belongs to another entry")
        if id.startswith(JOURNAL):
            return JournalEntry(**content)
        content["files"] = [KeptFile(**file) for file in content["files"]]
        moment_of(id)
        return Entry(**content)
    except (ValueError, KeyError, TypeError) as error:
        return UnsupportedLake(f"{where} is damaged: {error}", hint="restore it, or delete that folder")


# Removing ---------------------------------------------------------------------------------------


def remove(bucket: Bucket, id: str) -> None:
    """Take an entry away. Raises `StorageFailed`; then it may still be there."""
    bucket.delete([_key(id, _REQUEST)])
    # What no request names is not seen; a later sweep gets it.
    with contextlib.suppress(LakehouseError):
        _discard(bucket, id, [info.key for info in bucket.list(f"{_FOLDER}/{id}")])


def discard(bucket: Bucket, id: str) -> None:
    """Take away what was put of an entry that could not be kept whole. Raises nothing."""
    with contextlib.suppress(LakehouseError):
        _discard(bucket, id, [info.key for info in bucket.list(f"{_FOLDER}/{id}")])


def sweep(bucket: Bucket) -> None:
    """Remove files whose request never came or has gone, once they are old. Raises `StorageFailed`."""
    found: dict[str, list[tuple[str, datetime]]] = {}
    for info in bucket.list(_FOLDER):
        parts = info.key.split("/")
        if len(parts) > 2:
            found.setdefault(parts[1], []).append((info.key, info.modified))
    limit = datetime.now(UTC) - _ORPHANED
    for id, objects in found.items():
        whole = any(key == _key(id, _REQUEST) for key, _ in objects)
        if not whole and all(modified < limit for _, modified in objects):
            _discard(bucket, id, [key for key, _ in objects])


def _discard(bucket: Bucket, id: str, keys: Sequence[str]) -> None:
    bucket.delete(keys)
    folder = bucket.local_path(f"{_FOLDER}/{id}")
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _key(id: str, name: str) -> str:
    return f"{_FOLDER}/{id}/{name}"


def _plain(file: SourceFile) -> str:
    """The last part of a source's name as any bucket takes it; its ending stays."""
    name = file.name.removesuffix(f"#{file.sheet}") if file.sheet is not None else file.name
    return re.sub(r"[^\w.\-]", "_", PurePosixPath(name).name, flags=re.ASCII)[-_NAME_CHARS:].lstrip(".") or "file"


def _plainly(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"not a JSON value: {type(value).__name__}")
