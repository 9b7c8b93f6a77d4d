"""How a command gets at the lake: `cli.py` hands it a way to open one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mcp_lakehouse.lakehouse import Lakehouse


class Opening(Protocol):
    """Opens the lake of this command line, traced as the settings say, and closes it afterwards.

    Without `make` a place that holds nothing is an error: a slip in a path must not leave an empty lake.
    `allow` names the folders that ingest may read from, instead of those of the settings.
    """

    def __call__(
        self, *, make: bool = False, allow: Sequence[str] | None = None
    ) -> AbstractContextManager[Lakehouse]: ...
