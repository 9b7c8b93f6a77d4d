"""Row numbers come through a message as they were."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_lakehouse.sql.numbers import ROW_BITS, Rows, pack, unpack

ROWS = 90_001


def through(numbers: list[int]) -> Rows:
    packed = pack(np.array(numbers, np.int64))
    assert packed is not None
    return unpack(json.loads(json.dumps(packed)))


def numbers_in(rows: Rows, files: int) -> list[int]:
    flags = [rows.of_file(file, ROWS) for file in range(files)]
    return [(file << ROW_BITS) + int(row) for file in range(files) for row in np.flatnonzero(flags[file])]


@given(st.sets(st.tuples(st.integers(0, 3), st.integers(0, ROWS - 1)), max_size=50))
def test_few_come_through(places: set[tuple[int, int]]) -> None:
    numbers = [(file << ROW_BITS) + row for file, row in places]
    rows = through(numbers)
    assert numbers_in(rows, 4) == sorted(numbers)
    assert len(rows) == len(numbers)


@pytest.mark.parametrize("files", [1, 3])
@pytest.mark.parametrize("share", [0.04, 0.5, 1.0])
def test_many_come_through(files: int, share: float) -> None:
    random = np.random.default_rng(7)
    numbers = [
        (file * 2 << ROW_BITS) + int(row)
        for file in range(files)
        for row in np.flatnonzero(random.random(ROWS) < share)
    ]
    shuffled = random.permutation(np.array(numbers)).tolist()
    rows = through(shuffled)
    assert numbers_in(rows, 2 * files) == numbers
    assert len(rows) == len(numbers)


def test_too_many_are_left_to_a_file() -> None:
    assert pack(np.arange(0, 1 << 26, 8)) is None
