"""Upserts and compaction over staged and stored files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.harness import Loading, read_parquet, write_parquet
from mcp_lakehouse.errors import InvalidInput, UnreadableSource

COLUMNS = [["id", "BIGINT"], ["v", "VARCHAR"], ["s", "STRUCT(x BIGINT, y VARCHAR)"]]


def parquet(loading: Loading, values: str, columns: str = "id, v, s") -> str:
    path = loading.text("p.parquet", "")
    return str(write_parquet(path, f"SELECT * FROM (VALUES {values}) t({columns})"))


def rewrite(loading: Loading, existing: list[str], incoming: list[str], **more: Any) -> dict[str, Any]:
    request = {"op": "rewrite", "existing": existing, "incoming": incoming, "key": ["ID"], "columns": COLUMNS}
    return loading.call(request | more)


def rows_of(files: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted(read_parquet([file["path"] for file in files]), key=lambda row: row[0])


def test_only_files_that_hold_a_matched_key_are_replaced(loading: Loading) -> None:
    old = parquet(loading, "(1::BIGINT, 'a', {'x': 1::BIGINT, 'y': 'p'}), (2, 'b', NULL)")
    untouched = parquet(loading, "(3::BIGINT, 'c', {'x': 1::BIGINT, 'y': 'p'})")
    emptied = parquet(loading, "(5::BIGINT, 'e', {'x': 1::BIGINT, 'y': 'p'})")
    new = parquet(loading, "(2::BIGINT, 'B', {'x': 2::BIGINT, 'y': 'q'}), (5, 'E', NULL), (9, 'I', NULL)")
    answer = rewrite(loading, [old, untouched, emptied], [new])
    assert (answer["updated"], answer["inserted"], answer["rejected"]) == (2, 1, 0)
    assert [each["path"] for each in answer["replaced"]] == [old, emptied]
    assert answer["replaced"][1]["file"] is None
    replacement = answer["replaced"][0]["file"]
    assert rows_of([replacement]) == [(1, "a", {"x": 1, "y": "p"})]
    assert replacement["statistics"]["id"] == {"nulls": 0, "min": 1, "max": 1}
    assert rows_of(answer["incoming"]) == [(2, "B", {"x": 2, "y": "q"}), (5, "E", None), (9, "I", None)]


def test_the_last_row_of_a_key_wins_across_incoming_files(loading: Loading) -> None:
    first = parquet(loading, "(1::BIGINT, 'a', NULL), (2, 'old', NULL), (1, 'b', NULL)", "id, v, s")
    second = parquet(loading, "(2::BIGINT, 'new', NULL)", "id, v, s")
    answer = rewrite(loading, [], [first, second])
    assert [row[:2] for row in rows_of(answer["incoming"])] == [(1, "b"), (2, "new")]
    assert (answer["updated"], answer["inserted"]) == (0, 2)
    assert "2 rows repeat a key" in answer["notes"][0]


def test_rows_without_a_key_are_rejected(loading: Loading) -> None:
    new = parquet(loading, "(1::BIGINT, 'a', NULL), (NULL, 'lost', NULL)")
    answer = rewrite(loading, [], [new])
    assert (answer["rejected"], answer["inserted"]) == (1, 1)
    record = json.loads(Path(answer["rejects"]).read_text())
    assert record["reason"] == "the key (id) is null"
    assert json.loads(record["text"]) == {"id": None, "v": "lost", "s": None}


def test_older_files_may_lack_columns_and_hold_narrower_types(loading: Loading) -> None:
    old = parquet(loading, "(1::INTEGER, {'x': 5::INTEGER}), (2, NULL)", "id, s")
    new = parquet(loading, "(2::BIGINT, 'B', NULL)")
    answer = rewrite(loading, [old], [new])
    assert rows_of([answer["replaced"][0]["file"]]) == [(1, None, {"x": 5, "y": None})]


def test_keys_of_several_columns_are_matched_as_a_whole(loading: Loading) -> None:
    columns = [["a", "VARCHAR"], ["b", "DATE"], ["n", "BIGINT"]]
    old = parquet(loading, "('x', DATE '2020-01-01', 1::BIGINT), ('x', DATE '2020-01-02', 2)", "a, b, n")
    new = parquet(loading, "('x', DATE '2020-01-02', 20::BIGINT), ('y', DATE '2020-01-01', 30)", "a, b, n")
    answer = rewrite(loading, [old], [new], key=["a", "b"], columns=columns)
    assert (answer["updated"], answer["inserted"]) == (1, 1)
    assert [row[2] for row in rows_of([answer["replaced"][0]["file"]])] == [1]


def test_a_load_of_rejects_only_changes_nothing(loading: Loading) -> None:
    old = parquet(loading, "(1::BIGINT, 'a', NULL)")
    assert rewrite(loading, [old], [])["replaced"] == []
    with pytest.raises(InvalidInput, match="no value in the key"):
        rewrite(loading, [old], [parquet(loading, "(NULL::BIGINT, 'a', NULL)")])


def test_an_unknown_key_is_refused(loading: Loading) -> None:
    new = parquet(loading, "(1::BIGINT, 'a', NULL)")
    with pytest.raises(InvalidInput, match="'nope'"):
        rewrite(loading, [], [new], key=["nope"])
    with pytest.raises(InvalidInput, match="no key"):
        rewrite(loading, [], [new], key=[])


def test_compaction_keeps_all_rows_in_order(loading: Loading) -> None:
    files = [parquet(loading, f"({n}::BIGINT, 'v{n}', {{'x': {n}::BIGINT, 'y': 'q'}})") for n in range(9)]
    files.append(parquet(loading, "(9::INTEGER, {'x': 5::INTEGER})", "id, s"))
    answer = loading.call({"op": "merge", "existing": files, "columns": COLUMNS})
    assert len(answer["files"]) == 1
    assert [row[0] for row in read_parquet([answer["files"][0]["path"]])] == list(range(10))
    assert answer["files"][0]["statistics"]["v"] == {"nulls": 1}
    assert loading.call({"op": "merge", "existing": [], "columns": COLUMNS}) == {"files": []}


def test_a_missing_file_is_an_error(loading: Loading) -> None:
    with pytest.raises(UnreadableSource):
        loading.call({"op": "merge", "existing": [str(loading.folder / "gone.parquet")], "columns": COLUMNS})
