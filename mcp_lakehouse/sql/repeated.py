"""Results of statements that may be given again: the same text over the same contents has the same rows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from mcp_lakehouse.records import QueryResult
from mcp_lakehouse.sql.guard import TableName
from mcp_lakehouse.sql.results import StoredResult

# The small results of so many statements, each no larger than `page.SMALL_BYTES`.
_KEPT = 64
# Tables with the tokens for what they hold.
Reads = Mapping[TableName, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    reads: Reads
    result: QueryResult
    stored: StoredResult


class Repeated:
    """What statements gave when they ran last, for as long as the tables they read hold the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def find(self, asked: Hashable, reads: Reads) -> tuple[QueryResult, StoredResult] | None:
        """The result of what was asked before, where its tables hold now what they held then."""
        with self._lock:
            kept = self._kept.get(asked)
            if kept is None or kept.reads != reads:
                return None
            self._kept.move_to_end(asked)
        return kept.result, kept.stored

    def clear(self) -> None:
        """Remember nothing any more."""
        with self._lock:
            self._kept.clear()

    def keep(self, asked: Hashable, reads: Reads, result: QueryResult, stored: StoredResult) -> None:
        """Keep a result that depends on nothing but its text and these tables, if it is small."""
        if "data" not in stored.stored:
            return
        with self._lock:
            self._kept[asked] = _Kept(reads, result, stored)
            self._kept.move_to_end(asked)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
