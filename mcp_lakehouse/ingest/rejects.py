"""Rows that could not be loaded: every one is counted, the first ones are kept to be looked at."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

MAX_TEXT_CHARS = 2_000


class RejectLog:
    """A file of JSON lines in the staging folder, made when the first row is rejected.

    Each line: `source`, `line` (physical, from 1, or null), `column` (or null), `reason`, `text`
    (at most 2,000 characters). `count` is exact, the file holds at most `kept` lines.
    """

    def __init__(self, staging: Path, kept: int) -> None:
        self._path = staging / f"rejects-{secrets.token_hex(8)}.ndjson"
        self._kept = kept
        self.count = 0
        self._written = 0

    @property
    def room(self) -> int:
        """How many more lines would be kept."""
        return max(0, self._kept - self._written)

    @property
    def path(self) -> str | None:
        """The file, or `None` while nothing was rejected."""
        return str(self._path) if self._written else None

    def add(self, source: str, line: int | None, column: str | None, reason: str, text: str) -> None:
        """Count one row, and keep it if there is room."""
        self.add_many([(source, line, column, reason, text)])

    def add_many(self, rows: list[tuple[str, int | None, str | None, str, str]], *, more: int = 0) -> None:
        """Count rows, and keep what there is room for; `more` are counted only."""
        self.count += len(rows) + more
        kept = rows[: self.room]
        if not kept:
            return
        with self._path.open("a", encoding="utf-8", errors="backslashreplace") as target:
            for source, line, column, reason, text in kept:
                record = {"source": source, "line": line, "column": column, "reason": reason}
                target.write(json.dumps(record | {"text": text[:MAX_TEXT_CHARS]}, ensure_ascii=False) + "\n")
        self._written += len(kept)

    def reset(self) -> None:
        """Forget everything: the files are read again."""
        self._path.unlink(missing_ok=True)
        self.count = self._written = 0
