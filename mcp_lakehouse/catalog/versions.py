"""What can be read of a dataset's versions, whoever reads them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from mcp_lakehouse.table import Commit, Retirement, Snapshot


class Versions(Protocol):
    """What can be read of a table: all of it, or what a profile shows."""

    def head(self) -> int | None:
        """The newest version, `None` where there is no table."""

    def newest(self) -> Snapshot | None:
        """The newest version, `None` where there is no table."""

    def snapshot(self, version: int | None = None, at: datetime | None = None) -> Snapshot:
        """The newest version, an older one, or the newest at a moment. Raises `NotFound`."""

    def retirement(self, version: int) -> Retirement | None:
        """What made a version unreadable, if anything did."""

    def history(self, limit: int | None = None) -> list[Commit]:
        """The newest records first."""
