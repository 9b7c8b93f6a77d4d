"""Passages with their embeddings as Parquet."""

from __future__ import annotations

import random

import numpy as np

from index.damage import damaged
from mcp_lakehouse.errors import StorageFailed
from mcp_lakehouse.index.passages import HASH_BYTES, Passages, from_parquet, to_parquet

CORRUPTIONS = 1_000
COUNT, DIMENSIONS = 40, 16


def passages() -> Passages:
    random_ = np.random.default_rng(5)
    vectors = random_.standard_normal((COUNT, DIMENSIONS)).astype(np.float32)
    places = np.arange(COUNT, dtype=np.int32)
    return Passages(
        file_rows=COUNT,
        rows=places,
        chunks=np.zeros(COUNT, np.int32),
        starts=places,
        ends=places + 10,
        hashes=random_.integers(0, 256, (COUNT, HASH_BYTES), np.uint8),
        vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
    )


def same(one: Passages, other: Passages) -> bool:
    return one.file_rows == other.file_rows and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("rows", "chunks", "starts", "ends", "hashes", "vectors")
    )


def test_what_was_written_is_read() -> None:
    assert same(from_parquet(to_parquet(passages(), {}), key="k", dimensions=DIMENSIONS), passages())


def test_a_damaged_file_is_an_error_or_holds_the_same() -> None:
    whole = to_parquet(passages(), {})
    chance = random.Random(19)
    read = 0
    for number in range(CORRUPTIONS):
        try:
            found = from_parquet(damaged(whole, chance), key="k", dimensions=DIMENSIONS)
        except StorageFailed:
            continue
        read += 1
        # What nobody reads may be changed: the name of the library that wrote the file.
        assert same(found, passages()), number
    assert read < CORRUPTIONS / 4
