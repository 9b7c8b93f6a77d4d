"""A sample of the swaps under searches of `python -m tests.proofs swap`."""

from __future__ import annotations

from pathlib import Path

from tests.proofs.places import empty_place
from tests.proofs.swap import run


def test_searches_during_swaps_neither_fail_nor_mix(tmp_path: Path) -> None:
    # Times are for the whole proof: a machine that runs a test suite has none to compare.
    with empty_place("folder", tmp_path) as place:
        before, during = run(place, clients=8, seconds=3, swaps=4, rollbacks=2)
    assert before.errors == during.errors == []
    assert during.mixed == []
    assert (during.swaps, during.rollbacks) == (4, 2)
    assert len(during.generations) >= 4
    assert len(during.times) >= 50
