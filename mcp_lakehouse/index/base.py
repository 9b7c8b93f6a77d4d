"""The base of a generation on this machine: its vectors, a quantised copy and a graph of them, in sealed files.

All of it is disposable: what is missing or damaged is made again from the embeddings in the bucket.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.index.block import Block, Recall, measure_recall, needed_effort
from mcp_lakehouse.index.graph import GraphParameters, build_graph, open_graph
from mcp_lakehouse.index.passages import HASH_BYTES, Passages
from mcp_lakehouse.index.recipe import Recipe
from mcp_lakehouse.index.sealed import facts_of, sealed, write_sealed
from mcp_lakehouse.index.vectors import open_quantised, quantise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Progress = Callable[[float, float, str], None]
PARAMETERS = ("M", "ef_construction", "ef", "min_recall")
_EFFORT = 100
_SAMPLED = 200
# A sampled query is a passage moved by noise of its own length: that is as hard as texts never seen (measured).
_NOISE = 1.0
_SLICE = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """Passages of a generation in the order of its files, with the block that searches them."""

    identity: str
    parts: Sequence[tuple[str, Passages]]
    block: Block
    mean: NDArray[np.float32]
    parameters: Mapping[str, int]
    bytes: int

    def measured(self) -> Recall:
        """recall@10 of this block's own way against exact search, over sampled queries."""
        return measure_recall(self.block, _queries([passages.vectors for _, passages in self.parts], seed=0))


class BaseBuilder:
    """Builds and opens the base of one recipe with given parameters."""

    def __init__(self, folder: Path, recipe: Recipe, parameters: Mapping[str, float], *, graph_from: int) -> None:
        unknown = set(parameters) - set(PARAMETERS)
        if unknown:
            raise InvalidInput(
                f"unknown index parameters: {', '.join(sorted(unknown))}", hint=f"known: {', '.join(PARAMETERS)}"
            )
        self._folder = folder
        self._recipe = recipe
        self._given = {name: int(value) for name, value in parameters.items() if name != "min_recall"}
        self._graph_from = graph_from
        # Refuses impossible ones before any work.
        self._graph = GraphParameters(
            links=self._given.get("M", GraphParameters().links),
            candidates=self._given.get("ef_construction", GraphParameters().candidates),
        )
        self._effort = self._given.get("ef", _EFFORT)
        if not 10 <= self._effort <= 10_000:
            raise InvalidInput(f"ef is {self._effort}", hint="give 10 to 10,000")

    def identity(self, files: Sequence[str]) -> str:
        """What names the vectors: the recipe and the data files in their order."""
        return hashlib.sha256(json.dumps([self._recipe.identifier, list(files)]).encode()).hexdigest()[:24]

    def open(self, files: Sequence[str]) -> Base | None:
        """The base that was built for these files; `None` where it is missing, damaged, or was never kept in files."""
        import numpy as np

        identity = self.identity(files)
        folder = self._place(identity)
        facts = facts_of(folder / "vectors")
        count, dimensions = facts.get("count"), self._recipe.dimensions
        if not isinstance(count, int) or not sealed(folder / "vectors", self._facts(identity, count)):
            return None
        if not sealed(folder / "passages.npz", self._facts(identity, count)):
            return None
        vectors = np.memmap(folder / "vectors", np.float32, "r", 0, (count, dimensions))
        quantised = open_quantised(folder / "quantised", count=count, dimensions=dimensions, identity=identity)
        graph = open_graph(folder / self._graph_name, count=count, dimensions=dimensions, identity=identity)
        if quantised is None or graph is None:
            return None
        parts = _read_parts(folder / "passages.npz", vectors)
        return self._base(identity, parts, Block(vectors, quantised, graph, effort=self._effort))

    def build(self, parts: Sequence[tuple[str, Passages]], *, progress: Progress, cancel: CancelToken) -> Base:
        """The base of these data files; a small one lives in memory only and is searched exactly."""
        import numpy as np

        identity = self.identity([key for key, _ in parts])
        count = sum(len(passages) for _, passages in parts)
        dimensions = self._recipe.dimensions
        if count < self._graph_from and "M" not in self._given:
            vectors = (
                np.concatenate([passages.vectors for _, passages in parts])
                if parts
                else np.zeros((0, dimensions), np.float32)
            )
            return self._base(identity, _sliced(parts, vectors), Block(vectors.astype(np.float32, copy=False)))
        folder = self._place(identity)
        facts = self._facts(identity, count)
        if not sealed(folder / "vectors", facts):
            write_sealed(folder / "vectors", facts, lambda path: _write_vectors(path, parts))
        vectors = np.memmap(folder / "vectors", np.float32, "r", 0, (count, dimensions))
        if not sealed(folder / "passages.npz", facts):
            write_sealed(folder / "passages.npz", facts, lambda path: _write_parts(path, parts))
        quantised = open_quantised(folder / "quantised", count=count, dimensions=dimensions, identity=identity)
        if quantised is None:
            quantised = quantise(vectors, folder / "quantised", identity=identity, cancel=cancel)
        place = folder / self._graph_name
        graph = open_graph(place, count=count, dimensions=dimensions, identity=identity)
        if graph is None:

            def report(done: int) -> None:
                progress(done, count, "building the graph")

            graph = build_graph(vectors, place, self._graph, identity=identity, progress=report, cancel=cancel)
        self._discard_others(identity)
        block = Block(vectors, quantised, graph, effort=self._effort)
        if "ef" not in self._given:
            # Other queries than those it will be measured by.
            self._effort = needed_effort(block, _queries([vectors], seed=1))
            block = block.with_effort(self._effort)
        return self._base(identity, _sliced(parts, vectors), block)

    @property
    def _graph_name(self) -> str:
        return f"graph-{self._graph.links}-{self._graph.candidates}"

    def _base(self, identity: str, parts: Sequence[tuple[str, Passages]], block: Block) -> Base:
        import numpy as np

        total = np.zeros(self._recipe.dimensions, np.float64)
        for _, passages in parts:
            for start in range(0, len(passages), _SLICE):
                total += passages.vectors[start : start + _SLICE].sum(axis=0, dtype=np.float64)
        folder = self._place(identity)
        kept = folder.exists() and len(block) and (folder / self._graph_name).exists()
        parameters = (
            {"M": self._graph.links, "ef_construction": self._graph.candidates, "ef": self._effort} if kept else {}
        )
        size = (
            sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            if kept
            else 4 * len(block) * block.dimensions
        )
        return Base(identity, parts, block, (total / max(1, len(block))).astype(np.float32), parameters, size)

    def _place(self, identity: str) -> Path:
        return self._folder / "bases" / identity

    def _facts(self, identity: str, count: int) -> dict[str, str | int | float]:
        return {"what": "base 1", "identity": identity, "count": count, "dimensions": self._recipe.dimensions}

    def _discard_others(self, identity: str) -> None:
        """Keep this base and the one before it, which a rollback would want."""
        places = [path for path in (self._folder / "bases").iterdir() if path.is_dir() and path.name != identity]
        for path in sorted(places, key=lambda each: each.stat().st_mtime)[:-1]:
            shutil.rmtree(path, ignore_errors=True)


def _queries(matrices: Sequence[NDArray[np.float32]], *, seed: int) -> list[NDArray[np.float32]]:
    import numpy as np

    random = np.random.default_rng(seed)
    starts = np.cumsum([0, *(len(each) for each in matrices)])
    count = int(starts[-1])
    queries = []
    for position in random.integers(0, max(1, count), min(_SAMPLED, count)):
        part = int(np.searchsorted(starts, position, "right")) - 1
        vector = matrices[part][position - starts[part]]
        noise = random.standard_normal(len(vector)).astype(np.float32)
        queries.append(vector + noise * np.float32(_NOISE / np.sqrt(len(vector))))
    return queries


def _sliced(parts: Sequence[tuple[str, Passages]], vectors: NDArray[np.float32]) -> list[tuple[str, Passages]]:
    """The parts with their vectors as slices of one matrix, so that they are held once."""
    found = []
    start = 0
    for key, passages in parts:
        found.append((key, replace(passages, vectors=vectors[start : start + len(passages)])))
        start += len(passages)
    return found


def _write_vectors(path: Path, parts: Sequence[tuple[str, Passages]]) -> None:
    with open(path, "wb") as file:
        for _, passages in parts:
            for start in range(0, len(passages), _SLICE):
                file.write(passages.vectors[start : start + _SLICE].tobytes())


_ARRAYS = ("rows", "chunks", "starts", "ends", "hashes")


def _write_parts(path: Path, parts: Sequence[tuple[str, Passages]]) -> None:
    import numpy as np

    arrays = {
        name: np.concatenate([getattr(passages, name) for _, passages in parts])
        if parts
        else np.zeros((0, HASH_BYTES) if name == "hashes" else 0, np.uint8 if name == "hashes" else np.int32)
        for name in _ARRAYS
    }
    with open(path, "wb") as file:
        np.savez(
            file,
            keys=np.array([key for key, _ in parts]),
            lengths=np.array([len(passages) for _, passages in parts], np.int64),
            file_rows=np.array([passages.file_rows for _, passages in parts], np.int64),
            rows=arrays["rows"],
            chunks=arrays["chunks"],
            starts=arrays["starts"],
            ends=arrays["ends"],
            hashes=arrays["hashes"],
        )


def _read_parts(path: Path, vectors: NDArray[np.float32]) -> list[tuple[str, Passages]]:
    import numpy as np

    parts = []
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in _ARRAYS}
        start = 0
        for key, length, file_rows in zip(stored["keys"], stored["lengths"], stored["file_rows"], strict=True):
            end = start + int(length)
            cut = {name: array[start:end] for name, array in arrays.items()}
            parts.append((str(key), Passages(int(file_rows), vectors=vectors[start:end], **cut)))
            start = end
    return parts
