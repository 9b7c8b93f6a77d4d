"""Which tables there are in one bucket, and in which folders."""

from __future__ import annotations

import time
from collections.abc import Callable

from mcp_lakehouse.errors import StorageFailed
from mcp_lakehouse.names import is_name
from mcp_lakehouse.store.homes import Home

TABLES = "tables"
# A remote listing costs a round trip; other processes' new datasets are seen within this time.
_LISTING_SECONDS = 1.0


class Listing:
    """The names of the tables in one bucket."""

    def __init__(self, home: Home, *, may_be_away: bool, used: Callable[[], bool]) -> None:
        """`used`: whether the lake has put a table there before."""
        self.home = home
        self._used = used
        self.listed: frozenset[str] = frozenset()
        self.made: frozenset[str] = frozenset()
        self.failure: StorageFailed | None = None
        # Whether it ever answered.
        self.seen = False
        self._may_be_away = may_be_away
        self._at = float("-inf")

    def names(self) -> frozenset[str]:
        """Those there are, as far as is known."""
        if self.home.is_local or time.monotonic() - self._at > _LISTING_SECONDS:
            try:
                self._check_mounted()
                names = (name_of(folder) for folder in self.home.bucket.folders(f"{TABLES}/"))
                self.listed = frozenset(name for name in names if is_name(name))
                self.failure, self.seen = None, True
            except StorageFailed as error:
                if not self._may_be_away:
                    raise
                self.failure = error
            self._at = time.monotonic()
        return self.listed | self.made

    def _check_mounted(self) -> None:
        """A disk that is not there shows an empty folder, or none. Raises `StorageFailed`."""
        tables = self.home.bucket.local_path(TABLES) if self._may_be_away else None
        if tables is not None and not tables.is_dir() and self._used():
            raise StorageFailed(
                f"bucket {self.home.name!r} at {self.home.bucket.url} has lost its tables",
                hint="is its disk mounted? If it moved, set the new address in buckets",
            )


def folder_of(name: str) -> str:
    """The bucket folder of a dataset name: itself where it is plain, else its UTF-8 bytes in hexadecimal."""
    return name if name.isascii() else f"u-{name.encode().hex()}"


def name_of(folder: str) -> str:
    """The dataset name of a bucket folder; a folder that is none of ours gives a text that is no name."""
    if not folder.startswith("u-"):
        return folder
    try:
        return bytes.fromhex(folder.removeprefix("u-")).decode()
    except ValueError:
        return folder
