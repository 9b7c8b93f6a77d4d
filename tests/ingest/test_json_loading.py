"""JSON and JSON lines."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest

from ingest.harness import Loading
from mcp_lakehouse.errors import InvalidInput, UnreadableSource


def test_nested_values_stay_nested(loading: Loading) -> None:
    loaded = loading.load_text(
        "t.json", '[{"a": 1, "s": {"x": [1, 2], "t": "10:00"}, "d": "2020-01-01", "z": "01"}, {"a": 2.5, "s": null}]'
    )
    assert loaded.types == {"a": "DOUBLE", "s": "STRUCT(x BIGINT[], t VARCHAR)", "d": "DATE", "z": "VARCHAR"}
    assert loaded.rows == [
        (1.0, {"x": [1, 2], "t": "10:00"}, dt.date(2020, 1, 1), "01"),
        (2.5, None, None, None),
    ]


@pytest.mark.parametrize("name", ["t.json", "t.ndjson", "t.jsonl"])
def test_one_object_on_each_line_is_read_under_either_name(loading: Loading, name: str) -> None:
    assert loading.load_text(name, '{"a": 1}\n\n{"a": 2, "b": "x"}\n').rows == [(1, None), (2, "x")]


def test_a_single_object_is_one_row(loading: Loading) -> None:
    content = {"kind": "list", "features": [{"id": n, "xy": [n, 0.5]} for n in range(3)]}
    loaded = loading.load_text("t.json", json.dumps(content, indent=1))
    assert loaded.types["features"] == "STRUCT(id BIGINT, xy DOUBLE[])[]"
    assert len(loaded.rows) == 1


def test_geojson_features_are_rows(loading: Loading) -> None:
    point = {"type": "Point", "coordinates": [1.5, 2]}
    features = [
        {"type": "Feature", "id": n, "properties": {"name": f"p{n}"}, "geometry": point if n else None}
        for n in range(2)
    ]
    content = json.dumps({"type": "FeatureCollection", "features": features}, indent=1)
    assert loading.load_text("t.geojson", content).rows == [(None, 0, "p0"), ("POINT (1.5 2)", 1, "p1")]
    assert loading.load_text("t.json", content).types["type"] == "VARCHAR"
    assert loading.load_text("t.geojson", json.dumps({"type": "Feature", "properties": {"a": 1}})).answer["rows"] == 1


def test_late_values_of_other_types_are_not_rounded_or_lost(loading: Loading) -> None:
    start = "".join(f'{{"a": {n}, "t": "2020-01-01"}}\n' for n in range(25_000))
    loaded = loading.load_text("t.ndjson", start + '{"a": 2.5, "t": "soon", "late": true}\n')
    assert loaded.types == {"a": "DOUBLE", "t": "VARCHAR", "late": "BOOLEAN"}
    assert loaded.rows[-1] == (2.5, "soon", True)


def test_mixed_types_become_text(loading: Loading) -> None:
    loaded = loading.load_text("t.ndjson", '{"a": 1}\n{"a": "x"}\n{"a": [1, "b"]}\n')
    assert loaded.rows == [("1",), ("x",), ('[1,"b"]',)]


def test_only_iso_dates_are_dates(loading: Loading) -> None:
    loaded = loading.load_text("t.json", '[{"a": "01-02-2020", "b": "31-12-20", "c": "2020-12-31"}]')
    assert loaded.rows == [("01-02-2020", "31-12-20", dt.date(2020, 12, 31))]


def test_large_integers_keep_their_digits(loading: Loading) -> None:
    assert loading.load_text("t.json", '[{"a": 12345678901234567890}]').rows == [(Decimal(12345678901234567890),)]


def test_bad_lines_are_rejected_with_their_numbers(loading: Loading) -> None:
    good = [json.dumps({"a": n, "t": "2020-01-01T00:00:00Z", "s": "é"}, ensure_ascii=False) for n in range(20)]
    bad = ['{"a": 1', '{"a": 1, "a": 2}', "5", '{"a": "\\ud83d"}', "caf\udce9"]
    lines = [*good[:3], *bad, *good[3:]]
    loaded = loading.load_text("t.ndjson", "\n".join(lines).encode("utf-8", "surrogateescape"))
    assert loaded.column("a") == list(range(20))
    assert [each["line"] for each in loaded.rejects] == [4, 5, 6, 7, 8]
    reasons = [each["reason"] for each in loaded.rejects]
    assert reasons[0].startswith("not JSON: ")
    assert reasons[1:] == [
        "the key 'a' stands twice in one object",
        "not a JSON object",
        "half of a surrogate pair",
        "bytes that are not UTF-8",
    ]
    assert loaded.rejects[4]["text"] == "caf\\xe9"


@pytest.mark.parametrize(
    "content", ["not json", '[{"a": 1},', '[{"a": 1}, {"a"', '[{"a": 1}', '{"a": ' * 500 + "1" + "}" * 500]
)
def test_a_broken_document_is_an_error(loading: Loading, content: str) -> None:
    with pytest.raises(UnreadableSource):
        loading.load_text("t.json", content)


@pytest.mark.parametrize("content", ["[]", "{}", " [ ]\n"])
def test_a_document_without_records_is_an_error(loading: Loading, content: str) -> None:
    with pytest.raises(UnreadableSource):
        loading.load_text("t.json", content)


def test_keys_that_differ_in_case_are_both_kept(loading: Loading) -> None:
    loaded = loading.load_text("t.ndjson", '{"A": 1, "a": 2}\n{"A": 3, "a": 4}\n')
    assert loaded.rows == [(1, 2), (3, 4)]
    assert len({name.lower() for name in loaded.types}) == 2


def test_records_with_very_many_keys_are_columns(loading: Loading) -> None:
    loaded = loading.load_text("t.json", json.dumps({f"k{n}": n for n in range(400)}))
    assert loaded.rows == [tuple(range(400))]
    with pytest.raises(InvalidInput, match="columns_limit"):
        loading.load_text("t.json", json.dumps({f"k{n}": n for n in range(400)}), columns_limit=300)


def test_wide_encodings_are_read(loading: Loading) -> None:
    assert loading.load_text("t.json", '[{"a": "café"}]'.encode("utf-16")).rows == [("café",)]


def test_dates_and_whole_numbers_join_a_dataset_of_texts_and_floats(loading: Loading) -> None:
    columns = [("d", "VARCHAR"), ("x", "DOUBLE"), ("n", "BIGINT")]
    loaded = loading.load_text("t.json", '[{"d": "2020-01-01", "x": 1, "n": null}]', columns=columns)
    assert list(loaded.types.items()) == columns
    assert loaded.rows == [("2020-01-01", 1.0, None)]


def test_one_object_may_be_large(loading: Loading) -> None:
    content = json.dumps({"kind": "x", "items": [{"p": n, "t": "y" * 100} for n in range(150_000)]})
    assert len(content) > 17_000_000
    loaded = loading.load_text("t.json", content)
    assert loaded.types == {"kind": "VARCHAR", "items": "STRUCT(p BIGINT, t VARCHAR)[]"}
    assert loaded.answer["rows"] == 1
