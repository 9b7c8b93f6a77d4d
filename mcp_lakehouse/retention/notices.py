"""How processes learn that rows were forgotten: a row of small objects, numbered without a gap, in the lake's bucket.

    system/forgotten/00000001.json    {"dataset": "people", "at": "…", "files": ["tables/people/part-….parquet"]}

Each process looks for the next number before it answers anything, and drops what it holds; so does, at its next
opening, each machine whose cache was last cleared at an earlier number.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from mcp_lakehouse.catalog.catalog import timestamp
from mcp_lakehouse.errors import Conflict, LakehouseError, UnsupportedLake
from mcp_lakehouse.store import Bucket

_FOLDER = "system/forgotten"
# A look at a remote bucket is a round trip.
_REMOTE_SECONDS = 1.0
# After a look that failed: what waits for a bucket that hangs is not every call.
_FAILED_SECONDS = 10.0
_ATTEMPTS = 20
# Drops what this process and this machine hold of a dataset and of these files.
Clear = Callable[[str, Iterable[str]], object]


class Notices:
    """The notices of one lake, as this process and its cache folder know them."""

    def __init__(self, bucket: Bucket, cache: Path, clear: Clear) -> None:
        self._bucket = bucket
        self._mark = cache / "forgotten"
        self._clear = clear
        self._local = bucket.local_path("") is not None
        self._lock = threading.RLock()
        self._known: int | None = None
        self._due = 0.0

    def write(self, dataset: str, files: Iterable[str]) -> None:
        """Tell every process; this one by its next `check`."""
        notice = {"dataset": dataset, "at": timestamp(datetime.now(UTC)), "files": sorted(files)}
        numbers = [int(name) for name in self._names() if name.isdecimal()]
        number = max([0, *numbers])
        for _ in range(_ATTEMPTS):
            number += 1
            with contextlib.suppress(Conflict):
                self._bucket.write(_key(number), json.dumps(notice).encode(), if_absent=True)
                # After a look that is under way, which may have missed it.
                with self._lock:
                    self._due = 0.0
                return
        raise Conflict("other processes kept forgetting at the same time", hint="run it again")

    def check(self) -> None:
        """Drop what was forgotten since the last look. A bucket that does not answer is asked again later.

        Raises `UnsupportedLake` for a notice that cannot be read: nobody knows what it asks to forget.
        """
        if not self._local and time.monotonic() < self._due:
            return
        with self._lock:
            if not self._local and time.monotonic() < self._due:
                return
            # Before the look: nobody else waits for a bucket that hangs.
            self._due = time.monotonic() + _REMOTE_SECONDS
            try:
                self._look()
            except UnsupportedLake:
                self._due = 0.0
                raise
            except (LakehouseError, OSError):
                self._due = time.monotonic() + _FAILED_SECONDS

    def _look(self) -> None:
        if self._known is None:
            self._known = self._applied()
        while self._bucket.exists(key := _key(self._known + 1)):
            try:
                notice = json.loads(self._bucket.read(key))
                dataset, files = notice["dataset"], notice["files"]
                if not isinstance(files, list):
                    raise ValueError("another shape")
                # Raises for what is no text.
                "".join([dataset, *files]).encode()
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise UnsupportedLake(
                    f"{self._bucket.url}/{key} is damaged: it does not say which rows were forgotten",
                    hint='write {"dataset": NAME, "files": []} there, with the dataset that was forgotten from',
                ) from error
            self._clear(dataset, files)
            self._known += 1
            self._mark.write_text(str(self._known), encoding="utf-8")

    def _applied(self) -> int:
        """The last notice that the cache folder was cleared for."""
        try:
            number = int(self._mark.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0
        # The lake may be another one than the cache remembers, copied back from before.
        return number if number == 0 or self._bucket.exists(_key(number)) else 0

    def _names(self) -> list[str]:
        return [info.key.removeprefix(f"{_FOLDER}/").removesuffix(".json") for info in self._bucket.list(_FOLDER)]


def _key(number: int) -> str:
    return f"{_FOLDER}/{number:08d}.json"
