"""Whole results, kept for a while as Arrow files under unguessable names, and found again by their URI."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mcp_lakehouse.errors import InvalidInput, NotFound
from mcp_lakehouse.limits import MIB, ResultLimits
from mcp_lakehouse.records import Column
from mcp_lakehouse.sql.guard import RESULT_PREFIX

_PRUNE_EVERY = 50
_PRUNE_BYTES = 64 * MIB


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result on disk: its file, its columns with SQL types, and how many rows each Arrow batch holds."""

    identifier: str
    path: Path
    columns: tuple[Column, ...]
    batches: tuple[int, ...]

    @property
    def rows(self) -> int:
        """The exact number of rows."""
        return sum(self.batches)

    @property
    def uri(self) -> str:
        """The handle clients use."""
        return RESULT_PREFIX + self.identifier


class Results:
    """The results of one lake on this machine, oldest dropped beyond the limits."""

    def __init__(self, folder: Path, limits: ResultLimits) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._limits = limits
        self._kept = 0

    def new_identifier(self) -> str:
        """32 hexadecimal digits nobody can guess: knowing a handle is the right to read it."""
        return secrets.token_hex(16)

    def keep(self, identifier: str, file: Path, columns: Sequence[Column], batches: Sequence[int]) -> StoredResult:
        """Move a finished file in; its description is written first, so a file without one is garbage."""
        stored = StoredResult(identifier, self.folder / f"{identifier}.arrow", tuple(columns), tuple(batches))
        description = {"columns": [asdict(column) for column in columns], "batches": list(batches)}
        (self.folder / f"{identifier}.json").write_text(json.dumps(description), encoding="utf-8")
        os.replace(file, stored.path)
        # Looking through the folder costs more than a small statement: not each time.
        self._kept += 1
        if self._kept % _PRUNE_EVERY == 0 or stored.path.stat().st_size > _PRUNE_BYTES:
            self._prune()
        return stored

    def find(self, uri: str) -> StoredResult:
        """The result of a URI (or bare identifier). Raises `NotFound` when it is unknown or was dropped."""
        identifier = uri.strip().removeprefix(RESULT_PREFIX)
        if len(identifier) != 32 or not all(digit in "0123456789abcdef" for digit in identifier):
            raise InvalidInput(
                f"{uri[:100]!r} is not a result URI", hint=f"give a result_uri that sql returned: {RESULT_PREFIX}…"
            )
        path = self.folder / f"{identifier}.arrow"
        try:
            description = json.loads((self.folder / f"{identifier}.json").read_text(encoding="utf-8"))
            path.stat()
        except (OSError, ValueError):
            raise NotFound(
                f"the result {RESULT_PREFIX}{identifier} is gone (results are kept for a while only) or never was",
                hint="run its sql statement again",
            ) from None
        columns = tuple(Column(column["name"], column["type"]) for column in description["columns"])
        return StoredResult(identifier, path, columns, tuple(description["batches"]))

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
                for suffix in (".json", ".arrow"):
                    (self.folder / f"{identifier}{suffix}").unlink(missing_ok=True)
