"""A sample of the writers and readers of `python -m tests.proofs together`, and two servers on one lake."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.proofs.places import KINDS, Place, empty_place
from tests.proofs.serving import Server, serving
from tests.proofs.together import NOTICED_SECONDS, lags, run

BOTH = pytest.mark.parametrize("kind", KINDS)
# Twice the promise: the machine that tests may be busy.
SEEN_SECONDS = 2 * NOTICED_SECONDS
# For what is promised sometime, such as a record of an error.
WAITED_SECONDS = 20
LOADS = 3


@pytest.fixture
def place(kind: str, tmp_path: Path, s3_environment: Mapping[str, str]) -> Iterator[Place]:
    with empty_place(kind, tmp_path, s3_environment) as made:
        yield made


def until(true: Callable[[], bool]) -> bool:
    """Ask again and again, for as long as it may take."""
    deadline = time.monotonic() + WAITED_SECONDS
    while not true():
        if time.monotonic() > deadline:
            return False
    return True


@BOTH
def test_writers_lose_nothing_and_readers_see_whole_versions(place: Place) -> None:
    outcome = run(place, writers=2, readers=1, commits=4)
    assert outcome.faults == []
    assert outcome.commits == 8
    assert outcome.versions_seen >= 4


@pytest.mark.parametrize("kind", ["s3"])
def test_a_commit_is_noticed_within_a_second(place: Place) -> None:
    assert max(lags(place, 3)) <= SEEN_SECONDS


@pytest.mark.parametrize("kind", ["s3"])
def test_two_servers_share_one_lake(place: Place) -> None:
    with serving(place, "cache of one") as one, serving(place, "cache of the other") as other:
        text = "id,note\n1,an otter\n"
        one.post("/ingest", source={"name": "t.csv", "text": text}, text=["note"], key=["id"])
        assert until(lambda: other.rows("SELECT name FROM system.datasets") == [["t"]])
        assert other.rows("FROM t") == [[1, "an otter"]]
        found = other.post("/search", query="otter", datasets=["t"])
        assert (found["results"][0]["text"], found["generations"]) == ("an otter", {"t": 1})
        threads = [threading.Thread(target=load, args=(server, 10 * n)) for n, server in ((1, one), (2, other))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = [[1 + 2 * LOADS, 2 * LOADS, 1]]
        counts = "SELECT count(*), count(*) FILTER (note LIKE 'a bee%'), count(*) FILTER (note = 'an owl') FROM t"
        for server in (one, other):
            assert server.rows(counts) == expected
            # What one loaded the other finds, and either says where a passage is from.
            assert (
                len(server.post("/search", query="bee", datasets=["t"], k=50, mode="keyword")["results"]) == 2 * LOADS
            )
        cited = one.post("/search", query="owl", datasets=["t"], k=1)["results"][0]
        assert (cited["text"], other.post("/fetch", id=cited["id"])["text"]) == ("an owl", "an owl")
        failing(one)
        assert until(lambda: other.rows("SELECT count(*) FROM system.errors") == [[1]])


def load(server: Server, first: int) -> None:
    """Append and upsert."""
    for number in range(first, first + LOADS):
        server.post("/ingest", source={"name": "t.csv", "text": f"id,note\n{number},a bee {number}\n"}, dataset="t")
        server.post("/ingest", source={"name": "t.csv", "text": "id,note\n1,an owl\n"}, dataset="t", mode="upsert")


def failing(server: Server) -> None:
    """Ask for what is not there; the answer says so."""
    connection = server.connect()
    connection.request("POST", "/sql", json.dumps({"statement": "FROM nothing"}), {"Content-Type": "application/json"})
    assert connection.getresponse().status == 404
    connection.close()
