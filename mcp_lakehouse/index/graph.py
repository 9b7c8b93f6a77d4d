"""A graph of near neighbours, for answers from many rows: hnswlib behind a protocol, opened only when it is sound.

hnswlib crashes on some damaged files and answers nonsense from others, so that no file is opened whose hash, size,
library and shape are not those of its manifest. Vectors are normalised: the graph's distance is one minus the cosine.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.index.sealed import Facts, facts_of, sealed, write_sealed
from mcp_lakehouse.index.vectors import Floats, Positions, checked

_FILE = "graph.bin"
# Rows given to the library at a time: between two such pieces a build can be cancelled.
_PIECE = 2_048


@dataclass(frozen=True, slots=True)
class GraphParameters:
    """How a graph is built: `links` of a row (M) and `candidates` weighed for each (efConstruction)."""

    links: int = 16
    candidates: int = 100

    def __post_init__(self) -> None:
        if not 2 <= self.links <= 128 or not 1 <= self.candidates <= 10_000:
            raise InvalidInput(
                f"a graph with {self.links} links and {self.candidates} candidates cannot be built",
                hint="links (M) are 2 to 128, candidates (efConstruction) 1 to 10,000",
            )


class Graph(Protocol):
    """What a graph can do; another library may stand behind it. Searching is safe from many threads."""

    @property
    def count(self) -> int:
        """Rows in it, numbered from 0."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers of a vector."""
        ...

    def nearest(self, query: Floats, candidates: int, allowed: bytes | None) -> Positions | None:
        """Up to `candidates` rows near to the query, best first; `None` where it finds fewer than it promised.

        `allowed` has a byte for each row, 1 where it may be found.
        """
        ...


class _Hnsw:
    """hnswlib's graph."""

    def __init__(self, index: Any, count: int, dimensions: int) -> None:
        self._index = index
        self.count = count
        self.dimensions = dimensions

    def nearest(self, query: Floats, candidates: int, allowed: bytes | None) -> Positions | None:
        # The library keeps max(ef, k) candidates. Its ef is one for all threads, k belongs to this call.
        k = min(candidates, self.count if allowed is None else allowed.count(1))
        passes = None if allowed is None else allowed.__getitem__
        try:
            labels, _ = self._index.knn_query(query, k=k, num_threads=1, filter=passes)
        except RuntimeError:
            # "Cannot return the results in a contiguous 2D array": its walk met fewer than k.
            return None
        return np.asarray(labels[0], np.int64)


def build_graph(
    vectors: Floats,
    folder: Path,
    parameters: GraphParameters,
    *,
    identity: str,
    progress: Callable[[int], None] | None = None,
    cancel: CancelToken | None = None,
) -> Graph:
    """Build in a temporary place on all processors, put it at `folder`, and open it.

    `identity` names the vectors: `open_graph` takes the graph for no others. `progress` gets the rows done. Raises
    `InvalidInput` for vectors that are not normalised, `Cancelled`, and `StorageFailed`; then nothing was changed.
    """
    from hnswlib import Index

    count, dimensions = vectors.shape
    index = Index(space="ip", dim=dimensions)
    index.init_index(max_elements=max(count, 1), ef_construction=parameters.candidates, M=parameters.links)
    threads = _processors()
    for start in range(0, count, _PIECE):
        if cancel is not None:
            cancel.check()
        piece = checked(vectors[start : start + _PIECE], start=start)
        index.add_items(piece, np.arange(start, start + len(piece)), num_threads=threads)
        if progress is not None:
            progress(start + len(piece))
    facts = {**_facts(count, dimensions, identity), "M": parameters.links, "ef_construction": parameters.candidates}
    write_sealed(folder / _FILE, facts, lambda path: _save(index, path))
    return _Hnsw(index, count, dimensions)


def open_graph(folder: Path, *, count: int, dimensions: int, identity: str) -> Graph | None:
    """The graph of these vectors that `build_graph` left; `None` when there is none, or it is not as it was written."""
    from hnswlib import Index

    path = folder / _FILE
    written = facts_of(path)
    facts = _facts(count, dimensions, identity)
    if not facts.items() <= written.items():
        return None
    if not sealed(path, {**facts, "M": written.get("M", 0), "ef_construction": written.get("ef_construction", 0)}):
        return None
    index = Index(space="ip", dim=dimensions)
    try:
        index.load_index(str(path))
    except RuntimeError:
        return None
    if index.get_current_count() != count or index.dim != dimensions:
        return None
    return _Hnsw(index, count, dimensions)


def _save(index: Any, path: Path) -> None:
    index.save_index(str(path))
    # The library does not look whether its bytes found room.
    if path.stat().st_size != index.index_file_size():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _facts(count: int, dimensions: int, identity: str) -> Facts:
    from importlib.metadata import version

    return {
        "what": "graph 1",
        "library": f"hnswlib {version('hnswlib')}",
        "metric": "ip",
        "count": count,
        "max_elements": max(count, 1),
        "dimensions": dimensions,
        "identity": identity,
    }


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
