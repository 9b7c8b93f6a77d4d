"""The matrix and its quantised copy: right to the last place, checked before they are believed."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from index.clusters import Floats, clustered, normalised, truth
from index.damage import damaged
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, InvalidInput, StorageFailed
from mcp_lakehouse.index.sealed import manifest_of
from mcp_lakehouse.index.vectors import (
    Quantised,
    as_query,
    cosines,
    nearest_exact,
    nearest_quantised,
    open_quantised,
    products_of_numpy,
    quantise,
    top,
)

COUNT, DIMENSIONS = 500, 24
CORRUPTIONS = 1_000


@pytest.fixture(scope="module")
def vectors() -> Floats:
    return clustered(COUNT, DIMENSIONS)[0]


def opened(path: Path, **other: object) -> Quantised | None:
    facts = {"count": COUNT, "dimensions": DIMENSIONS, "identity": "model a", **other}
    return open_quantised(path, **facts)  # type: ignore[arg-type]


def test_top_is_the_highest_first_and_of_equal_ones_the_first() -> None:
    scores = np.array([1, 5, 3, 5, 5, -1], np.float32)
    assert top(scores, 2).tolist() == [1, 3]
    assert top(scores, 4).tolist() == [1, 3, 4, 2]
    assert top(scores, 99).tolist() == [1, 3, 4, 2, 0, 5]
    assert top(scores, 0).tolist() == top(scores, -1).tolist() == top(np.empty(0, np.float32), 3).tolist() == []


def test_cosines_of_pieces_are_those_of_the_whole() -> None:
    # More rows than two pieces hold.
    vectors = clustered(30_000, 40)[0]
    expected = vectors.astype(np.float64) @ vectors[9]
    np.testing.assert_allclose(cosines(vectors, vectors[9], None), expected, atol=1e-5)
    backwards = np.arange(30_000)[::-1]
    np.testing.assert_allclose(cosines(vectors, vectors[9], backwards), expected[::-1], atol=1e-5)


@pytest.mark.parametrize("scan", [True, False])
@pytest.mark.parametrize("some", [True, False])
def test_the_quantised_answer_is_the_exact_one(tmp_path: Path, scan: bool, some: bool) -> None:
    vectors = clustered(30_000, 40)[0]
    copy = quantise(vectors, tmp_path / "copy")
    positions = np.arange(0, 30_000, 3) if some else None
    for number in range(20):
        query = as_query(vectors[number] + vectors[-number], 40)
        exact = nearest_exact(vectors, query, 10, positions, scan=scan)
        found = nearest_quantised(vectors, copy, query, 10, positions, scan=scan)
        np.testing.assert_allclose(found[1], exact[1], atol=1e-6)
        assert sorted(found[0].tolist()) == sorted(exact[0].tolist())


def test_rows_closer_to_each_other_than_their_rounding_are_told_apart(tmp_path: Path) -> None:
    chance = np.random.default_rng(5)
    vectors = normalised(clustered(1, 32)[0] + 1e-3 * chance.standard_normal((3_000, 32)))
    copy = quantise(vectors, tmp_path / "copy")
    for query in vectors[:20]:
        found = nearest_quantised(vectors, copy, query, 5, None, scan=True)[1]
        np.testing.assert_allclose(found, truth(vectors, query, 5), atol=1e-6)


def test_one_outlier_does_not_make_the_others_coarse(tmp_path: Path, vectors: Floats) -> None:
    alone = np.zeros((1, DIMENSIONS), np.float32)
    alone[0, 3] = 1
    copy = quantise(np.concatenate([vectors, alone]), tmp_path / "copy")
    assert copy.rows[-1, 3] == 127
    assert (np.abs(copy.rows[:-1]).max(axis=1) == 127).all()


def test_zero_rows_stay_zero(tmp_path: Path, vectors: Floats) -> None:
    rows = np.concatenate([vectors, np.zeros((60, DIMENSIONS), np.float32)])
    copy = quantise(rows, tmp_path / "copy")
    assert not copy.rows[COUNT:].any()
    found = nearest_quantised(rows, copy, vectors[0], 560, None, scan=True)
    np.testing.assert_allclose(found[1], truth(rows, vectors[0], 560), atol=1e-6)


def test_no_rows_have_an_empty_copy(tmp_path: Path) -> None:
    none = np.empty((0, DIMENSIONS), np.float32)
    assert quantise(none, tmp_path / "copy", identity="model a").rows.shape == (0, DIMENSIONS)
    again = opened(tmp_path / "copy", count=0)
    assert again is not None
    assert again.rows.shape == (0, DIMENSIONS)


def test_numpy_alone_gives_the_same_products() -> None:
    numkong = pytest.importorskip("numkong", reason="numkong has no wheel for some platforms")
    chance = np.random.default_rng(3)
    rows = chance.integers(-127, 128, (5_000, 96), dtype=np.int8)
    query = chance.integers(-127, 128, (1, 96), dtype=np.int8)
    out = np.empty(5_000, np.float32)
    products_of_numpy(query, rows, out)
    expected = rows.astype(np.int32) @ query[0].astype(np.int32)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(np.asarray(numkong.cdist(query, rows, "dot"))[0], expected)


def test_a_copy_opens_for_its_own_vectors_only(tmp_path: Path, vectors: Floats) -> None:
    path = tmp_path / "new" / "folder" / "copy"
    written = quantise(vectors, path, identity="model a")
    again = opened(path)
    assert again is not None
    np.testing.assert_array_equal(again.rows, written.rows)
    np.testing.assert_array_equal(again.scales, written.scales)
    assert again.error == written.error > 0
    for other in ({"identity": "model b"}, {"count": COUNT - 1}, {"dimensions": DIMENSIONS * 2}):
        assert opened(path, **other) is None
    assert opened(tmp_path / "none") is None
    assert sorted(each.name for each in path.parent.iterdir() if each.is_file()) == ["copy", "copy.manifest"]


def test_a_copy_takes_the_place_of_another(tmp_path: Path, vectors: Floats) -> None:
    quantise(vectors[:9], tmp_path / "copy", identity="model a")
    quantise(vectors, tmp_path / "copy", identity="model a")
    assert opened(tmp_path / "copy", count=9) is None
    assert opened(tmp_path / "copy") is not None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0])
def test_a_wrong_row_leaves_no_copy(tmp_path: Path, vectors: Floats, value: float) -> None:
    wrong = vectors.copy()
    wrong[77, 0] = value
    with pytest.raises(InvalidInput, match="vector 77 "):
        quantise(wrong, tmp_path / "copy")
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_a_cancelled_copy_leaves_the_one_before(tmp_path: Path, vectors: Floats) -> None:
    quantise(vectors, tmp_path / "copy", identity="model a")
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        quantise(vectors[::-1].copy(), tmp_path / "copy", identity="model a", cancel=token)
    assert opened(tmp_path / "copy") is not None


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path, vectors: Floats) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageFailed, match="copy") as raised:
        quantise(vectors, tmp_path / "file" / "copy")
    assert raised.value.hint


@pytest.mark.parametrize("what", ["copy", "copy.manifest"])
def test_a_damaged_copy_is_not_opened(tmp_path: Path, vectors: Floats, what: str) -> None:
    quantise(vectors, tmp_path / "copy", identity="model a")
    whole = (tmp_path / what).read_bytes()
    chance = random.Random(11)
    taken = 0
    for _ in range(CORRUPTIONS):
        data = damaged(whole, chance)
        (tmp_path / what).write_bytes(data)
        taken += (opened(tmp_path / "copy") is None) != (data != whole)
    assert taken == 0


def test_a_manifest_that_was_rewritten_to_fit_needs_all_of_its_facts(tmp_path: Path, vectors: Floats) -> None:
    quantise(vectors, tmp_path / "copy", identity="model a")
    for wrong in (b"", b"\n\n", b"[]\n", b"null\n", json.dumps({"count": COUNT}).encode()):
        manifest_of(tmp_path / "copy").write_bytes(wrong)
        assert opened(tmp_path / "copy") is None


def test_an_old_file_is_hashed_once_and_again_when_it_changed(tmp_path: Path, vectors: Floats) -> None:
    quantise(vectors, tmp_path / "copy", identity="model a")
    old = time.time() - 3600
    os.utime(tmp_path / "copy", (old, old))
    assert opened(tmp_path / "copy") is not None
    kept = tmp_path / "kept"
    shutil.copy2(tmp_path / "copy", kept)
    data = bytearray(kept.read_bytes())
    data[5] ^= 1
    (tmp_path / "copy").write_bytes(data)
    os.utime(tmp_path / "copy", (old + 60, old + 60))
    assert opened(tmp_path / "copy") is None


def test_a_removed_manifest_is_no_copy(tmp_path: Path, vectors: Floats) -> None:
    quantise(vectors, tmp_path / "copy", identity="model a")
    manifest_of(tmp_path / "copy").unlink()
    assert opened(tmp_path / "copy") is None
