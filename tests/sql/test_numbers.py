"""Row numbers come through a message as they were."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_lakehouse.sql.numbers import ROW_BITS, pack, unpack


def through(numbers: list[int]) -> list[int]:
    packed = pack(np.array(numbers, np.int64))
    return unpack(json.loads(json.dumps(packed))).tolist()  # type: ignore[no-any-return]  # numpy says Any


@given(st.lists(st.integers(0, 3 << ROW_BITS), max_size=50))
def test_few_come_in_their_order(numbers: list[int]) -> None:
    assert through(numbers) == numbers


@pytest.mark.parametrize("files", [1, 3])
@pytest.mark.parametrize("share", [0.04, 0.5, 1.0])
def test_many_come_sorted(files: int, share: float) -> None:
    random = np.random.default_rng(7)
    numbers = [
        (file * 2 << ROW_BITS) + int(row)
        for file in range(files)
        for row in np.flatnonzero(random.random(90_001) < share)
    ]
    shuffled = random.permutation(np.array(numbers)).tolist()
    assert through(shuffled) == numbers


def test_too_many_are_left_to_a_file() -> None:
    assert pack(np.arange(0, 1 << 26, 8)) is None
