"""Which files of a dataset, over all its versions, hold rows that a condition holds for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.errors import NotFound, StatementFailed, StorageFailed
from mcp_lakehouse.sql.runner import Runner
from mcp_lakehouse.sql.values import quote
from mcp_lakehouse.table import DataFile, Lifetimes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(slots=True)
class Found:
    """`rows`: of the newest version's files those with such rows, and their numbers. `files`: the keys of all files
    that hold some, or may. `unasked` are versions of which the condition could not be asked: all their own files may.
    """

    rows: list[tuple[DataFile, NDArray[np.int64]]] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    unasked: list[int] = field(default_factory=list)
    # Of documents, the names of the sources of such rows.
    sources: set[str] = field(default_factory=set)

    @property
    def count(self) -> int:
        """Rows of the newest version."""
        return sum(len(numbers) for _, numbers in self.rows)


def find(dataset: Dataset, lives: Lifetimes, where: str, runner: Runner) -> Found:
    """Ask every version that has files no newer one shows whole. Raises what the condition raises over the newest.

    Rows that an overlay shadows are in their files still: an older version, without it, is asked for them.
    """
    import numpy as np

    found = Found()
    seen: set[str] = set()
    shadowed: set[str] = set()
    for version in reversed(lives.open_versions()):
        newest = version == lives.newest
        own = {key for key in lives.named_by([version]) if key not in seen}
        if not own and not newest:
            continue
        snapshot = dataset.writable.snapshot(version)
        overlay = snapshot.overlay
        if overlay is not None:
            under = {file.key for file in snapshot.files if file.key not in overlay.after}
            shadowed |= own & under
            own -= under
            if overlay.content.deleted:
                # Of a deleted row it holds the key, which no condition is asked of.
                found.files.add(overlay.key)
        seen |= own
        try:
            rows, _ = runner.matching(dataset.name, version, where)
            if len(rows) and dataset.kind == "documents":
                found.sources |= _sources(dataset, version, where, runner)
        except (StatementFailed, StorageFailed, NotFound):
            if newest:
                raise
            # Columns it does not have, or a file that is gone: what cannot be asked is not kept.
            found.unasked.append(version)
            found.files |= own
            continue
        for number, file in enumerate(snapshot.parts):
            numbers = np.flatnonzero(rows.of_file(number, file.rows))
            if len(numbers):
                found.files.add(file.key)
                if newest:
                    found.rows.append((file, numbers))
    found.files |= shadowed - seen
    return found


def _sources(dataset: Dataset, version: int, where: str, runner: Runner) -> set[str]:
    """The sources of which the condition holds for some row and for no row it does not."""
    import pyarrow as pa

    # The condition has been asked before, so it is one expression, whatever it holds.
    table = f"{quote(dataset.name)} AT (VERSION => {version})"
    holds = f"coalesce((\n{where}\n), false)"
    statement = f"SELECT source FROM {table} WHERE {holds} EXCEPT SELECT source FROM {table} WHERE NOT {holds}"
    _, stored = runner.run(statement, max_rows=1)
    with pa.BufferReader(stored.read()) as content:
        return {name for name in pa.ipc.open_file(content).read_all().column(0).to_pylist() if name}
