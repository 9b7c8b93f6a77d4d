"""The records of a table's versions, and which version was the newest at a moment. Records never change, but
where something is taken out of them for good (`redacting.py`)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from mcp_lakehouse.errors import NotFound
from mcp_lakehouse.table.reading import LogReader
from mcp_lakehouse.table.values import Commit

_RECORDS_KEPT = 10_000


class History:
    """Reads records once and keeps them."""

    def __init__(self, reader: LogReader, name: str) -> None:
        self._reader = reader
        self._name = name
        self._lock = threading.Lock()
        self._records: dict[int, Commit] = {}

    def newest(self, head: int, limit: int | None) -> list[Commit]:
        """Records from `head` downwards, at most `limit`, as far back as the log goes without a gap."""
        oldest = 0 if limit is None else max(0, head + 1 - limit)
        with self._lock:
            known = dict(self._records)
        missing = [version for version in range(head, oldest - 1, -1) if version not in known]
        fetched = {record.version: record for record in self._reader.records(missing)}
        with self._lock:
            room = _RECORDS_KEPT - len(self._records)
            self._records.update(list(fetched.items())[: max(0, room)])
        found: list[Commit] = []
        for version in range(head, oldest - 1, -1):
            record = known.get(version) or fetched.get(version)
            if record is None:
                break
            found.append(record)
        return found

    def forget(self) -> None:
        """Read records anew: some were changed."""
        with self._lock:
            self._records.clear()

    def version_at(self, at: datetime, head: int) -> int:
        """The newest version at a moment (UTC where it has no zone). Raises `NotFound` before the first."""
        moment = at if at.tzinfo else at.replace(tzinfo=UTC)
        low = earliest = self._reader.earliest()
        high = head
        while low <= high:
            middle = (low + high) // 2
            record = next(self._reader.records([middle]), None)
            if record is None or record.at <= moment:
                low = middle + 1
            else:
                high = middle - 1
        if high < earliest:
            first = next(self._reader.records([earliest]), None)
            began = f", of {first.at.isoformat()}" if first else ""
            raise NotFound(
                f"table {self._name!r} did not exist at {moment.isoformat()}",
                hint=f"its first version is {earliest}{began}",
            )
        return high
