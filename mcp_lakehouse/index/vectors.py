"""Exact and quantised search over a matrix of vectors, piece by piece, so that it may be larger than memory.

A row's cosine with the query is their dot product, because rows are normalised. The quantised copy has eight bits for
a number, one scale for each row; what it finds is scored again with the vectors themselves, and so is everything that
its rounding could have kept out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.index.sealed import facts_of, sealed, write_sealed

Floats: TypeAlias = NDArray[np.float32]
Positions: TypeAlias = NDArray[np.int64]
Scored: TypeAlias = tuple[Positions, Floats]

# A piece of so many numbers stays near the processor, and numpy's BLAS works it off on the calling thread: with helpers
# it is little faster on an idle machine, and several times slower on a busy one.
_NUMBERS = 1_024 * 384
_LEVELS = 127
_LONGEST_ROUNDING = 1e-2
# Rounding errors of a dot product are close to normal; six deviations leave one in a billion.
_DEVIATIONS = 6.0
_RESCORED_OF_A_ROW = 4
_RESCORED = 40
# However many rows are too close to tell, no more than this are scored again (or 16 for each row asked for).
_WIDEST = 4_096
_WIDEST_OF_A_ROW = 16


@dataclass(frozen=True, slots=True)
class Quantised:
    """Row i is about `rows[i] * scales[i]`, off by at most `error` (length of the difference)."""

    rows: NDArray[np.int8]
    scales: Floats
    error: float


def checked(vectors: NDArray[np.generic], *, start: int = 0) -> Floats:
    """A piece of the matrix as float32; raises `InvalidInput` unless each row has length one or is zero."""
    piece = np.ascontiguousarray(vectors, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", piece, piece))
    # Written so that a comparison with NaN counts as wrong.
    wrong = ~((np.abs(lengths - 1.0) <= _LONGEST_ROUNDING) | (lengths == 0.0))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InvalidInput(
            f"vector {start + row:,} has length {lengths[row]}, not 1 or 0",
            hint="the embedder gave a vector that is not normalised; embed the rows again",
        )
    return piece


def as_query(query: NDArray[np.generic], dimensions: int) -> Floats:
    """The query with length one (zero stays zero); raises `InvalidInput` for another shape, NaN or infinity."""
    vector = np.ascontiguousarray(query, dtype=np.float32)
    if vector.shape != (dimensions,):
        raise InvalidInput(
            f"the query vector has shape {vector.shape}, the index has {dimensions} dimensions",
            hint="embed the query with the model the index was built with, or build the index again",
        )
    if not np.isfinite(vector).all():
        raise InvalidInput("the query vector holds NaN or infinity", hint="embed the query again")
    largest = float(np.abs(vector).max(initial=0.0))
    if largest == 0.0:
        return vector
    vector = vector / np.float32(largest)
    return vector / np.float32(np.linalg.norm(vector))


def top(scores: Floats, k: int) -> Positions:
    """Places of the k highest scores, best first; of equal ones those that come first."""
    if k <= 0:
        return np.empty(0, np.int64)
    if k < len(scores):
        last = np.partition(scores, len(scores) - k)[len(scores) - k]
        above = np.flatnonzero(scores > last)
        chosen = np.concatenate([above, np.flatnonzero(scores == last)[: k - len(above)]])
    else:
        chosen = np.arange(len(scores))
    return chosen[np.lexsort((chosen, -scores[chosen]))]


def cosines(vectors: Floats, query: Floats, positions: Positions | None) -> Floats:
    """True cosines of these rows (all: `None`), float32."""
    if positions is None:
        found = np.empty(len(vectors), np.float32)
        for start, end in _pieces(vectors.shape):
            np.dot(vectors[start:end], query, out=found[start:end])
        return found
    found = np.empty(len(positions), np.float32)
    for start, end in _pieces((len(positions), vectors.shape[1])):
        np.dot(np.take(vectors, positions[start:end], axis=0), query, out=found[start:end])
    return found


def nearest_exact(vectors: Floats, query: Floats, k: int, positions: Positions | None, *, scan: bool) -> Scored:
    """The k rows of the highest cosine among `positions` (all: `None`), looking at all rows in turn (`scan`) or not."""
    scores = cosines(vectors, query, None if scan else positions)
    if scan and positions is not None:
        scores = scores[positions]
    best = top(scores, k)
    return best if positions is None else positions[best], scores[best]


class _Guesses:
    """Guesses at one query's cosines (of length one) by the quantised copy."""

    def __init__(self, quantised: Quantised, query: Floats) -> None:
        self._quantised = quantised
        self._query = query
        self._small, scale = _rounded(query[None, :])
        self._scale = scale[0]
        self._products = _kernel()

    @property
    def margin(self) -> float:
        """How far below the true cosine a guess may be."""
        error = float(np.linalg.norm(self._query - self._small[0] * self._scale))
        return _DEVIATIONS * float(np.hypot(self._quantised.error, error)) / float(np.sqrt(len(self._query)))

    def of_all(self) -> Floats:
        """The guesses for all rows."""
        rows = self._quantised.rows
        found = np.empty(len(rows), np.float32)
        for start, end in _pieces(rows.shape):
            self._products(self._small, rows[start:end], found[start:end])
        found *= self._quantised.scales * self._scale
        return found

    def of(self, positions: Positions) -> Floats:
        """The guesses for these rows, looking at no others."""
        rows = self._quantised.rows
        found = np.empty(len(positions), np.float32)
        for start, end in _pieces((len(positions), rows.shape[1])):
            self._products(self._small, np.take(rows, positions[start:end], axis=0), found[start:end])
        found *= self._quantised.scales[positions] * self._scale
        return found


def nearest_quantised(
    vectors: Floats, quantised: Quantised, query: Floats, k: int, positions: Positions | None, *, scan: bool
) -> Scored:
    """As `nearest_exact`, by the quantised copy: of all rows in turn (`scan`), or of those at `positions` only."""
    guessing = _Guesses(quantised, query)
    if positions is not None and not scan:
        guesses = guessing.of(positions)
    else:
        guesses = guessing.of_all() if positions is None else guessing.of_all()[positions]
    first = top(guesses, min(len(guesses), max(_RESCORED_OF_A_ROW * k, _RESCORED)))
    scores = cosines(vectors, query, first if positions is None else positions[first])
    if len(first) < len(guesses):
        # A row that was left out may still belong in the answer, if rounding put it this much too low.
        bar = np.partition(scores, len(scores) - k)[len(scores) - k] - guessing.margin
        if guesses[first[-1]] >= bar:
            many = min(int(np.count_nonzero(guesses >= bar)), max(_WIDEST, _WIDEST_OF_A_ROW * k))
            further = top(guesses, max(many, len(first)))[len(first) :]
            more = cosines(vectors, query, further if positions is None else positions[further])
            first, scores = np.concatenate([first, further]), np.concatenate([scores, more])
    order = np.lexsort((first, -scores))[:k]
    best = first[order]
    return best if positions is None else positions[best], scores[order]


def quantise(vectors: Floats, out: Path, *, identity: str = "", cancel: CancelToken | None = None) -> Quantised:
    """Write the quantised copy to `out`, all at once, and open it; raises `InvalidInput` for a row `checked` refuses.

    `identity` names the vectors: `open_quantised` takes the file for no others.
    """
    count, dimensions = vectors.shape
    scales = np.zeros(count, np.float32)
    error = 0.0

    def write(path: Path) -> None:
        nonlocal error
        with open(path, "wb") as file:
            for start, end in _pieces(vectors.shape):
                if cancel is not None:
                    cancel.check()
                piece = checked(vectors[start:end], start=start)
                small, scales[start:end] = _rounded(piece)
                off = piece - small * scales[start:end, None]
                error = max(error, float(np.sqrt(np.einsum("ij,ij->i", off, off).max())))
                file.write(small.tobytes())
            file.write(scales.tobytes())
            file.write(np.float64(error).tobytes())

    write_sealed(out, _facts(count, dimensions, identity), write)
    return _mapped(out, count, dimensions)


def open_quantised(path: Path, *, count: int, dimensions: int, identity: str = "") -> Quantised | None:
    """The copy of these vectors that `quantise` wrote; `None` when there is none, or it is not as it was written."""
    facts = _facts(count, dimensions, identity)
    if not facts.items() <= facts_of(path).items() or not sealed(path, facts):
        return None
    return _mapped(path, count, dimensions)


def _facts(count: int, dimensions: int, identity: str) -> dict[str, str | int | float]:
    return {"what": "quantised 1", "count": count, "dimensions": dimensions, "identity": identity}


def _mapped(path: Path, count: int, dimensions: int) -> Quantised:
    if count == 0:
        return Quantised(np.empty((0, dimensions), np.int8), np.empty(0, np.float32), 0.0)
    rows = np.memmap(path, np.int8, "r", 0, (count, dimensions))
    tail = path.open("rb")
    with tail:
        tail.seek(count * dimensions)
        scales = np.frombuffer(tail.read(4 * count), np.float32)
        error = float(np.frombuffer(tail.read(8), np.float64)[0])
    return Quantised(rows, scales, error)


def _rounded(vectors: Floats) -> tuple[NDArray[np.int8], Floats]:
    scales = (np.abs(vectors).max(axis=1, initial=0.0) / _LEVELS).astype(np.float32)
    divisors = np.where(scales == 0.0, np.float32(1), scales)
    return np.rint(vectors / divisors[:, None]).astype(np.int8), scales


Kernel: TypeAlias = Callable[[NDArray[np.int8], NDArray[np.int8], Floats], None]


@cache
def _kernel() -> Kernel:
    try:
        from numkong import cdist
    except ImportError:
        # No wheel for this platform: numpy widens each piece, several times slower and just as right.
        return products_of_numpy

    def products(query: NDArray[np.int8], rows: NDArray[np.int8], out: Floats) -> None:
        cdist(query, rows, "dot", out=out.reshape(1, -1))

    return products


def products_of_numpy(query: NDArray[np.int8], rows: NDArray[np.int8], out: Floats) -> None:
    """Dot products of one row of eight-bit numbers with many."""
    wide = query[0].astype(np.float32)
    for start, end in _pieces(rows.shape):
        np.dot(rows[start:end].astype(np.float32), wide, out=out[start:end])


def _pieces(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    count, dimensions = shape
    size = max(1, _NUMBERS // max(1, dimensions))
    return ((start, min(start + size, count)) for start in range(0, count, size))
