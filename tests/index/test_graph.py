"""The graph of near neighbours: built aside, opened only when it is sound."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from index.clusters import Floats, clustered
from index.damage import damaged
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, InvalidInput
from mcp_lakehouse.index.graph import Graph, GraphParameters, build_graph, open_graph

COUNT, DIMENSIONS = 500, 24
CORRUPTIONS = 1_000


@pytest.fixture(scope="module")
def vectors() -> Floats:
    return clustered(COUNT, DIMENSIONS)[0]


def built(vectors: Floats, folder: Path, cancel: CancelToken | None = None) -> Graph:
    return build_graph(vectors, folder, GraphParameters(links=8), identity="model a", cancel=cancel)


def opened(folder: Path, **other: object) -> Graph | None:
    facts = {"count": COUNT, "dimensions": DIMENSIONS, "identity": "model a", **other}
    return open_graph(folder, **facts)  # type: ignore[arg-type]


def test_a_graph_finds_what_is_near_and_so_does_the_one_that_was_kept(tmp_path: Path, vectors: Floats) -> None:
    made = built(vectors, tmp_path / "graph")
    kept = opened(tmp_path / "graph")
    assert kept is not None
    assert (kept.count, kept.dimensions) == (made.count, made.dimensions) == (COUNT, DIMENSIONS)
    for query in vectors[:50]:
        expected = set(np.argsort(-(vectors @ query))[:10].tolist())
        for graph in (made, kept):
            near = graph.nearest(query, 100, None)
            assert near is not None
            assert len(near) == 100
            assert len(expected & set(near[:10].tolist())) >= 9


def test_only_what_is_allowed_is_found(tmp_path: Path, vectors: Floats) -> None:
    graph = built(vectors, tmp_path / "graph")
    allowed = np.arange(COUNT) % 3 == 0
    near = graph.nearest(vectors[1], 400, allowed.tobytes())
    assert near is not None
    assert allowed[near].all()
    assert len(near) == allowed.sum()


def test_fewer_than_promised_is_none(tmp_path: Path) -> None:
    # Two rows each have the other as their only link: a walk that starts at one pair cannot reach another.
    apart = np.repeat(np.eye(12, dtype=np.float32), 300, axis=0)
    graph = build_graph(apart, tmp_path / "graph", GraphParameters(links=2, candidates=1), identity="")
    found = [graph.nearest(row, 3_600, None) for row in np.eye(12, dtype=np.float32)]
    assert any(each is None for each in found)


def test_a_graph_is_opened_for_its_own_vectors_only(tmp_path: Path, vectors: Floats) -> None:
    built(vectors, tmp_path / "graph")
    others = ({"identity": "model b"}, {"count": COUNT + 1}, {"dimensions": DIMENSIONS // 2})
    assert [opened(tmp_path / "graph", **other) for other in others] == [None, None, None]
    assert opened(tmp_path / "none") is None


def test_a_graph_takes_the_place_of_another(tmp_path: Path, vectors: Floats) -> None:
    built(vectors[:50], tmp_path / "graph")
    built(vectors, tmp_path / "graph")
    assert opened(tmp_path / "graph", count=50) is None
    assert opened(tmp_path / "graph") is not None
    names = sorted(each.name for each in (tmp_path / "graph").iterdir() if each.is_file())
    assert names == ["graph.bin", "graph.bin.manifest"]


def test_a_build_tells_how_far_it_is(tmp_path: Path) -> None:
    seen: list[int] = []
    vectors = clustered(5_000, 8)[0]
    build_graph(vectors, tmp_path / "graph", GraphParameters(4, 10), identity="", progress=seen.append)
    assert seen == [2_048, 4_096, 5_000]


def test_a_cancelled_build_leaves_the_graph_before_it(tmp_path: Path, vectors: Floats) -> None:
    built(vectors, tmp_path / "graph")
    token = CancelToken()

    def stop(_done: int) -> None:
        token.cancel()

    many = clustered(5_000, DIMENSIONS)[0]
    with pytest.raises(Cancelled):
        build_graph(many, tmp_path / "graph", GraphParameters(), identity="model a", progress=stop, cancel=token)
    assert opened(tmp_path / "graph") is not None


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.5])
def test_wrong_vectors_are_refused(tmp_path: Path, vectors: Floats, value: float) -> None:
    wrong = vectors.copy()
    wrong[300] = value
    with pytest.raises(InvalidInput, match="vector 300 "):
        built(wrong, tmp_path / "graph")
    assert opened(tmp_path / "graph") is None


@pytest.mark.parametrize("parameters", [(1, 100), (129, 100), (16, 0), (16, 10_001), (-1, -1)])
def test_parameters_that_make_no_graph_are_refused(parameters: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput, match="links"):
        GraphParameters(*parameters)


def test_no_rows_make_an_empty_graph(tmp_path: Path) -> None:
    none = np.empty((0, DIMENSIONS), np.float32)
    made = built(none, tmp_path / "graph")
    kept = opened(tmp_path / "graph", count=0)
    assert kept is not None
    for graph in (made, kept):
        near = graph.nearest(np.ones(DIMENSIONS, np.float32), 5, None)
        assert near is None or len(near) == 0


def test_two_builders_at_once_leave_one_whole_graph(tmp_path: Path, vectors: Floats) -> None:
    gate = threading.Barrier(4)

    def build(_number: int) -> Graph:
        gate.wait(timeout=30)
        return built(vectors, tmp_path / "graph")

    with ThreadPoolExecutor(4) as pool:
        graphs = list(pool.map(build, range(4)))
    assert [graph.count for graph in graphs] == [COUNT] * 4
    assert [each.name for each in (tmp_path / "graph" / ".building").iterdir()] == ["placing"]
    assert opened(tmp_path / "graph") is not None


@pytest.mark.parametrize("what", ["graph.bin", "graph.bin.manifest"])
def test_a_damaged_graph_is_not_opened(tmp_path: Path, vectors: Floats, what: str) -> None:
    built(vectors, tmp_path)
    whole = (tmp_path / what).read_bytes()
    chance = random.Random(12)
    wrong = 0
    for _ in range(CORRUPTIONS):
        data = damaged(whole, chance)
        (tmp_path / what).write_bytes(data)
        wrong += (opened(tmp_path) is None) != (data != whole)
    assert wrong == 0


def test_searching_from_many_threads_is_safe(tmp_path: Path, vectors: Floats) -> None:
    graph = built(vectors, tmp_path / "graph")
    allowed = (np.arange(COUNT) % 2).astype(np.bool_).tobytes()

    def ask(number: int) -> list[int]:
        # Each call keeps another number of candidates: none may change another's.
        near = graph.nearest(vectors[number], 20 + number % 50, allowed if number % 2 else None)
        return [] if near is None else near.tolist()

    alone = [ask(number) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(200))) == alone


def test_a_file_that_found_no_room_is_not_left_behind(tmp_path: Path, vectors: Floats) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from mcp_lakehouse.errors import StorageFailed
from mcp_lakehouse.index.graph import GraphParameters, build_graph
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
vectors = np.load(sys.argv[1])
try:
    build_graph(vectors, Path(sys.argv[2]), GraphParameters(), identity="model a")
except StorageFailed as error:
    print(error.hint)
"""
    np.save(tmp_path / "vectors.npy", vectors)
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "vectors.npy", tmp_path / "graph"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "room" in done.stdout
    assert [each.name for each in (tmp_path / "graph").rglob("*") if each.is_file()] == []
