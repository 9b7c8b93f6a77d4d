"""Whole results, kept for a while as Arrow files under unguessable names, and found again by their URI."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mcp_lakehouse.errors import InvalidInput, NotFound
from mcp_lakehouse.limits import ResultLimits
from mcp_lakehouse.records import Column
from mcp_lakehouse.sql.guard import RESULT_PREFIX
from mcp_lakehouse.worker.channel import Message

# To look through the folder takes about as long as to write so many small results.
_SMALL_BETWEEN_PRUNINGS = 20


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A whole result: columns with SQL types, how many rows each Arrow batch holds, and where the bytes are.

    `stored` is `{"file": path}` or, for small ones, `{"data": base64 text}`: an Arrow IPC file either way.
    """

    identifier: str
    columns: tuple[Column, ...]
    batches: tuple[int, ...]
    stored: Message

    @property
    def rows(self) -> int:
        """The exact number of rows."""
        return sum(self.batches)

    @property
    def uri(self) -> str:
        """The handle clients use."""
        return RESULT_PREFIX + self.identifier

    @property
    def size(self) -> int:
        """Its size in bytes as an Arrow IPC file."""
        return len(self.stored["data"]) * 3 // 4 if "data" in self.stored else Path(self.stored["file"]).stat().st_size

    def read(self) -> bytes:
        """The Arrow IPC file."""
        return (
            base64.b64decode(self.stored["data"]) if "data" in self.stored else Path(self.stored["file"]).read_bytes()
        )


class Results:
    """The results of one lake on this machine, oldest dropped beyond the limits.

    They lie in files, so that every process that serves the lake finds them. Small ones are held here too, for as
    long as their files are there: what another process forgets is forgotten.
    """

    def __init__(self, folder: Path, limits: ResultLimits) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._limits = limits
        self._lock = threading.Lock()
        self._small: OrderedDict[str, StoredResult] = OrderedDict()
        self._until_pruned = 0

    def new_identifier(self) -> str:
        """32 hexadecimal digits nobody can guess: knowing a handle is the right to read it."""
        return secrets.token_hex(16)

    def keep(self, identifier: str, stored: Message, columns: Sequence[Column], batches: Sequence[int]) -> StoredResult:
        """Take over what a worker left: bytes in the answer, or a file in its scratch folder.

        What is kept again is the newest again. Raises `OSError` where a file cannot be moved. Small results that
        cannot be written (a full disk) are to be found in this process only, if at all.
        """
        path = self._path(identifier)
        if "data" not in stored:
            os.replace(stored["file"], path)
            self._describe(identifier, columns, batches)
            self._prune()
            return StoredResult(identifier, tuple(columns), tuple(batches), {"file": str(path)})
        small = StoredResult(identifier, tuple(columns), tuple(batches), stored)
        with contextlib.suppress(OSError):
            if path.exists():
                os.utime(path)
            else:
                path.write_bytes(small.read())
                self._describe(identifier, columns, batches)
        with self._lock:
            self._small[identifier] = small
            self._small.move_to_end(identifier)
            while len(self._small) > self._limits.kept_results:
                self._small.popitem(last=False)
            self._until_pruned -= 1
            due = self._until_pruned < 0
            if due:
                self._until_pruned = _SMALL_BETWEEN_PRUNINGS
        if due:
            self._prune()
        return small

    def find(self, uri: str) -> StoredResult:
        """The result of a URI (or bare identifier). Raises `NotFound` when it is unknown or was dropped."""
        identifier = uri.strip().removeprefix(RESULT_PREFIX)
        if len(identifier) != 32 or not all(digit in "0123456789abcdef" for digit in identifier):
            raise InvalidInput(
                f"{uri[:100]!r} is not a result URI", hint=f"give a result_uri that sql returned: {RESULT_PREFIX}…"
            )
        path = self._path(identifier)
        try:
            path.stat()
            with self._lock:
                small = self._small.get(identifier)
            if small is not None:
                return small
            description = json.loads(self._description(identifier).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise NotFound(
                f"the result {RESULT_PREFIX}{identifier} is gone (results are kept for a while only) or never was",
                hint="run its sql statement again",
            ) from None
        columns = tuple(Column(column["name"], column["type"]) for column in description["columns"])
        return StoredResult(identifier, columns, tuple(description["batches"]), {"file": str(path)})

    def clear(self) -> int:
        """Drop every result; returns how many there were."""
        with self._lock:
            self._small.clear()
        count = 0
        for path in self.folder.iterdir():
            count += path.suffix == ".arrow"
            path.unlink(missing_ok=True)
        return count

    def _path(self, identifier: str) -> Path:
        return self.folder / f"{identifier}.arrow"

    def _description(self, identifier: str) -> Path:
        return self.folder / f"{identifier}.json"

    def _describe(self, identifier: str, columns: Sequence[Column], batches: Sequence[int]) -> None:
        """After its rows: those without a description are found by nobody, and dropped when they are old."""
        description = {"columns": [asdict(column) for column in columns], "batches": list(batches)}
        self._description(identifier).write_text(json.dumps(description), encoding="utf-8")

    def _prune(self) -> None:
        entries = []
        with os.scandir(self.folder) as found:
            for entry in found:
                if entry.name.endswith(".arrow"):
                    with contextlib.suppress(OSError):
                        status = entry.stat()
                        entries.append((status.st_mtime_ns, status.st_size, entry.name.removesuffix(".arrow")))
        entries.sort(reverse=True)
        kept_bytes = 0
        for position, (_, size, identifier) in enumerate(entries):
            kept_bytes += size
            if position >= self._limits.kept_results or (position and kept_bytes > self._limits.kept_bytes):
                self._description(identifier).unlink(missing_ok=True)
                self._path(identifier).unlink(missing_ok=True)
