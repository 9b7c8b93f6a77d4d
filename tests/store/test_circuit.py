"""A bucket behind a circuit: asked, not asked while it is away, tried once, asked again."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_lakehouse.errors import NotFound, StorageFailed, Unreachable
from mcp_lakehouse.store.circuit import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Circuit
from mcp_lakehouse.store.local import LocalBucket


class Fickle(LocalBucket):
    """Does not answer while it is away; counts how often it is asked."""

    away = False
    asked = 0

    def read(self, key: str) -> bytes:
        self.asked += 1
        if self.away:
            raise Unreachable("no answer", hint="switch it on")
        return super().read(key)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fickle(tmp_path: Path) -> Fickle:
    bucket = Fickle(tmp_path)
    bucket.write("key", b"value")
    return bucket


def test_it_is_not_asked_while_it_is_away_and_is_asked_again_after_a_pause(fickle: Fickle, clock: Clock) -> None:
    circuit = Circuit(fickle, "archive", clock=clock)
    fickle.away = True
    with pytest.raises(Unreachable):
        circuit.read("key")
    assert not circuit.closed
    with pytest.raises(StorageFailed, match=r"bucket 'archive' does not answer, and is tried again in 2 s: no answer"):
        circuit.exists("key")
    assert fickle.asked == 1
    clock.now += FIRST_PAUSE_SECONDS
    with pytest.raises(Unreachable):
        circuit.read("key")
    # Twice as long now.
    clock.now += FIRST_PAUSE_SECONDS
    with pytest.raises(StorageFailed, match="is tried again in 2 s"):
        circuit.read("key")
    assert fickle.asked == 2
    clock.now += FIRST_PAUSE_SECONDS
    fickle.away = False
    assert circuit.read("key") == b"value"
    assert circuit.closed
    assert circuit.exists("key")


def test_pauses_grow_to_a_limit(fickle: Fickle, clock: Clock) -> None:
    circuit = Circuit(fickle, "archive", clock=clock)
    fickle.away = True
    for _ in range(50):
        with pytest.raises(Unreachable):
            circuit.read("key")
        clock.now += LONGEST_PAUSE_SECONDS
    assert fickle.asked == 50


def test_one_call_tries_while_the_others_are_told(fickle: Fickle, clock: Clock) -> None:
    circuit = Circuit(fickle, "archive", clock=clock)
    fickle.away = True
    with pytest.raises(Unreachable):
        circuit.read("key")
    clock.now += FIRST_PAUSE_SECONDS
    listing = circuit.list("")
    assert next(listing).key == "key"
    with pytest.raises(StorageFailed, match="is tried again at this moment by another call"):
        circuit.read("key")
    listing.close()  # type: ignore[attr-defined]  # a generator
    # That said nothing of whether it answers.
    fickle.away = False
    assert circuit.read("key") == b"value"


def test_an_answer_that_refuses_is_an_answer(fickle: Fickle, clock: Clock) -> None:
    circuit = Circuit(fickle, "archive", clock=clock)
    with pytest.raises(NotFound):
        circuit.read("nothing")
    assert circuit.closed
