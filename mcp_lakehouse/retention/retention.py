"""What the lake's verbs about retention need, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mcp_lakehouse.catalog.catalog import Catalog, Dataset
from mcp_lakehouse.catalog.system import System
from mcp_lakehouse.limits import Limits
from mcp_lakehouse.retention.forgetting import Forgetting, Means
from mcp_lakehouse.retention.journals import Journals
from mcp_lakehouse.retention.local import LocalState
from mcp_lakehouse.retention.notices import Notices
from mcp_lakehouse.retention.pins import Pins
from mcp_lakehouse.retention.vacuum import Vacuum
from mcp_lakehouse.worker.process import Worker


@dataclass(frozen=True, slots=True)
class Doing:
    """What else of the lake is needed: a loading worker, what waits to be journaled written, new rows made findable,
    an overlay folded.
    """

    lend: Callable[[], AbstractContextManager[Worker]]
    flush: Callable[[], object]
    index: Callable[[str], str]
    fold: Callable[[Dataset, Mapping[str, str]], object]


class Retention:
    """Of one lake."""

    def __init__(
        self,
        catalog: Catalog,
        system: System,
        limits: Limits,
        local: LocalState,
        scratch: Path,
        doing: Doing,
        pinned: Sequence[Mapping[str, int]],
    ) -> None:
        """`pinned`: generations that a profile is served by, whatever is published, by dataset."""
        self._pinned = pinned
        self._catalog = catalog
        self._system = system
        self._limits = limits
        self._local = local
        self._scratch = scratch
        self._doing = doing
        self.notices = Notices(system.home.bucket, local.cache, local.clear)

    @cached_property
    def vacuum(self) -> Vacuum:
        """Removes what nothing needs."""
        return Vacuum(self._catalog, self._system, self._limits.retention, self._pinned, self._local.drop)

    @cached_property
    def pins(self) -> Pins:
        """Versions that stay."""
        return Pins(self._catalog)

    @cached_property
    def forgetting(self) -> Forgetting:
        """Deletes rows everywhere."""
        return Forgetting(
            Means(
                catalog=self._catalog,
                runner=self._local.runner,
                journals=Journals(self._system, self._scratch),
                notices=self.notices,
                pins=self.pins,
                limits=self._limits,
                lend=self._doing.lend,
                flush=self._doing.flush,
                index=self._doing.index,
                clear=self._local.clear,
                fold=self._doing.fold,
            )
        )
