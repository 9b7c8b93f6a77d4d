"""The worker that reads foreign files (role "load"): confined first, then one request at a time.

Files are hostile until proven otherwise, so this process has no network, can read only what it was
given, and can write only to its staging folders. It commits nothing.
"""

from __future__ import annotations

import errno
import os
import textwrap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_lakehouse.errors import InvalidInput, LakehouseError, StorageFailed, UnreadableSource, from_wire
from mcp_lakehouse.ingest import formats
from mcp_lakehouse.ingest.engine import Job, open_engine, session
from mcp_lakehouse.ingest.files import none_readable, open_regular
from mcp_lakehouse.ingest.progress import Progress
from mcp_lakehouse.ingest.rejects import RejectLog
from mcp_lakehouse.limits import IngestLimits
from mcp_lakehouse.store.failures import FULL, local_failure
from mcp_lakehouse.worker import confine
from mcp_lakehouse.worker.channel import Channel, ChannelClosed, Message

if TYPE_CHECKING:
    import duckdb

# Shared libraries that modules of Python load when they are first used.
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")


def preload() -> None:
    """Import what every worker of the role needs.

    What reads rarer formats, Arrow's library among it, comes when it is needed: it takes as long to load as all the
    rest, and most files are read without it.
    """
    import duckdb  # noqa: F401  # loaded here, used by workers
    import pytz  # noqa: F401  # duckdb imports it when it meets a time zone


def start(config: Message) -> Loader:
    """Confine this process and get ready to load.

    `config`: `descriptors` of readable folders, `writable` folders (the first one takes the engine's overflow),
    `memory_bytes` of the engine, `threads`, `address_space_bytes` of the process, `file_bytes` of any
    file written.
    """
    isolated = confine.leave_network()
    # Loaded before the file system is closed off.
    preload()
    spill = Path(config["writable"][0]) / "spill"
    engine = open_engine(memory_bytes=config["memory_bytes"], threads=config["threads"], spill=spill)
    confine.limit_resources(address_space_bytes=config["address_space_bytes"], file_bytes=config["file_bytes"])
    landlock = confine.restrict_files(
        readable=[*config["descriptors"], *confine.python_folders(), *_LIBRARIES], writable=config["writable"]
    )
    return Loader(engine, {"landlock": landlock, "network_namespace": isolated})


class Loader:
    """Answers `hello`, `load`, `rewrite`, `fold`, `supersede`, `sources`, `merge` and `without`."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, confined: Message) -> None:
        self._engine = engine
        self._confined = confined

    def __call__(self, request: Message, channel: Channel) -> Message:
        """One request, one answer; everything written lies in the request's staging folder."""
        if request["op"] == "hello":
            return {"confined": self._confined}
        from mcp_lakehouse.ingest import keyed, rewrite

        operations = {
            "load": _load,
            "rewrite": keyed.rewrite,
            "fold": keyed.fold,
            "supersede": rewrite.supersede,
            "sources": rewrite.present_sources,
            "merge": rewrite.merge,
            "without": rewrite.without_rows,
        }
        operation = operations.get(request["op"])
        if operation is None:
            raise InvalidInput(f"unknown operation {request['op']!r}")
        staging = Path(request["staging"])
        connection = session(self._engine)
        defaults = IngestLimits()
        job = Job(
            connection=connection,
            staging=staging,
            rejects=RejectLog(staging, request.get("rejects_kept", defaults.rejects_kept)),
            progress=Progress(channel, sum(_size(path) for path in _paths(request))),
            row_group_rows=request.get("row_group_rows", defaults.row_group_rows),
            file_bytes=request.get("file_bytes", defaults.file_bytes),
            columns_limit=request.get("columns_limit", defaults.columns),
            background=ThreadPoolExecutor(max_workers=1),
            exact=frozenset(request.get("exact", ())),
            names_rows=request.get("names_rows", False),
            several=request.get("several", len(request.get("files", ())) > 1),
        )
        try:
            return operation(job, request)
        except StorageFailed:
            # Whoever met it knew only that it could not write; this names the disk.
            raise _full(staging) from None
        except OSError as error:
            if error.errno in FULL:
                raise _full(staging) from None
            raise unforeseen(request, error) from None
        except (LakehouseError, ChannelClosed, MemoryError):
            raise
        except Exception as error:
            raise unforeseen(request, error) from None
        finally:
            job.background.shutdown(cancel_futures=True)
            connection.close()
            for left in staging.glob("text-*"):
                left.unlink(missing_ok=True)


def unforeseen(request: Message, error: Exception) -> Exception:
    """What no reader foresaw, in a form that helps whoever gave the files; the error itself where none were given."""
    names = [file["name"] for file in request.get("files", ())]
    if not names:
        return error
    what = f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]
    return UnreadableSource(
        # At words: half a path could not be cut out for whoever is not to see it.
        f"{what} cannot be read ({type(error).__name__}: {textwrap.shorten(str(error), 200)})",
        hint="the file is damaged in a way that is not understood, or this is a defect: please report it; "
        "saving the data in another format may help",
    )


def _full(staging: Path) -> LakehouseError:
    return local_failure(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "write", "", str(staging.parent))


def _load(job: Job, request: Message) -> Message:
    for each in request.get("unreadable", ()):
        job.leave_out(each["name"], from_wire(each["code"], each["message"], each["hint"]))
    files = _usable(job, request["files"])
    kinds = {file["format"] in formats.DOCUMENTS for file in files}
    if len(kinds) > 1:
        raise InvalidInput(
            "the source mixes tables and documents, which go into different datasets",
            hint='load each kind with a glob of its own, such as "folder/**/*.csv" and "folder/**/*.pdf"',
        )
    existing = [(name, kind) for name, kind in request["columns"]] if request.get("columns") is not None else None
    if kinds == {True}:
        from mcp_lakehouse.ingest.documents import load_documents

        columns, written = load_documents(job, files, existing)
    else:
        from mcp_lakehouse.ingest.opening import open_readers
        from mcp_lakehouse.ingest.tables import load_tables

        columns, written = load_tables(job, open_readers(job, files), existing)
    rows = sum(file["rows"] for file in written)
    nothing = len(files) == len({file["number"] for file in files} & set(job.left_out))
    if nothing and not request.get("may_be_nothing"):
        raise none_readable(job.problems)
    if not nothing:
        _check_key(request.get("key"), columns)
    rejected = job.rejects.count - len(job.problems)
    if not rows and rejected:
        raise UnreadableSource(
            f"all {rejected:,} rows of {files[0]['name']} were rejected{_first_reason(job)}",
            hint="check the delimiter, the quotes and the encoding of the file",
        )
    return {
        # Empty where every file was left out.
        "kind": "" if nothing else "documents" if kinds == {True} else "table",
        "columns": [list(column) for column in columns],
        "files": written,
        "rows": rows,
        "rejected": job.rejects.count,
        "rejects": job.rejects.path,
        "left_out": job.left_out,
        "notes": job.notes,
    }


def _usable(job: Job, files: Sequence[Message]) -> list[Message]:
    """The files that hold something; each is looked at once more, as it may have changed since it was found."""
    usable = []
    empty = 0
    for number, file in enumerate(files):
        try:
            with open_regular(Path(file["path"]), file["name"]) as stream:
                size = os.fstat(stream.fileno()).st_size
        except UnreadableSource as error:
            job.leave_out(file["name"], error, number)
            continue
        if not size:
            empty += 1
            job.note(f"{file['name']} is empty (0 bytes)")
            continue
        promised = formats.by_name(file["name"].rpartition("#")[0] if file.get("sheet") else file["name"])
        if promised is not None and {promised, file["format"]} not in ({file["format"]}, formats.JSON_FORMATS):
            job.note(f"{file['name']} holds {file['format']}, not {promised}, and was read as that")
        usable.append({**file, "number": number})
    if empty == len(files) and not job.problems:
        raise UnreadableSource("every file of the source is empty (0 bytes)", hint="check how they were made")
    return usable


def _check_key(key: Sequence[str] | None, columns: Sequence[tuple[str, str]]) -> None:
    known = {name.casefold() for name, _ in columns}
    missing = [name for name in key or () if name.casefold() not in known]
    if missing:
        raise InvalidInput(
            f"the key names {', '.join(map(repr, missing))}, which the source does not have",
            hint=f"its columns: {', '.join(name for name, _ in columns[:50])}",
        )


def _first_reason(job: Job) -> str:
    import json

    if job.rejects.path is None or job.problems:
        return ""
    with open(job.rejects.path, encoding="utf-8") as lines:
        first = json.loads(lines.readline())
    return f" (line {first['line']}: {first['reason']})"


def _paths(request: Message) -> list[str]:
    if request["op"] == "load":
        return [file["path"] for file in request["files"]]
    return [*request.get("existing", ()), *request.get("incoming", ())]


def _size(path: str | Message) -> int:
    place = path if isinstance(path, str) else path["path"]
    try:
        return os.stat(place).st_size
    except OSError:
        return 0
