"""Delimited text: dialect, types, encodings, and what becomes of rows that do not fit."""

from __future__ import annotations

import datetime as dt
import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from ingest.harness import Loading
from mcp_lakehouse.errors import InvalidInput, UnreadableSource

DATA = Path(__file__).parents[1] / "data"
UTC = dt.UTC


def test_types_are_inferred_and_naive_times_are_utc(loading: Loading) -> None:
    loaded = loading.load_text(
        "t.csv",
        "i,big,x,d,naive,zoned,b,s,clock\n"
        "1,12345678901234567890,1.5,2020-01-02,2020-01-02 03:04:05,2020-01-02T03:04:05+02:00,true,a,10:00\n"
        "-2,1,2,2020-01-03,2020-01-02 03:04,2020-01-02T03:04:05Z,FALSE,,11:30:00\n",
    )
    assert loaded.types == {
        "i": "BIGINT",
        "big": "DECIMAL(38,0)",
        "x": "DOUBLE",
        "d": "DATE",
        "naive": "TIMESTAMP WITH TIME ZONE",
        "zoned": "TIMESTAMP WITH TIME ZONE",
        "b": "BOOLEAN",
        "s": "VARCHAR",
        "clock": "VARCHAR",
    }
    naive, zoned = dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), dt.datetime(2020, 1, 2, 1, 4, 5, tzinfo=UTC)
    first = (1, Decimal(12345678901234567890), 1.5, dt.date(2020, 1, 2), naive, zoned, True, "a", "10:00")
    assert loaded.rows[0] == first
    assert loaded.rows[1][-2:] == (None, "11:30:00")


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_found(loading: Loading, delimiter: str, end: str) -> None:
    content = end.join(delimiter.join(row) for row in (["a", "b"], ["1", "x y"], ["2", '"q""q"'], ["3", "ü"])) + end
    loaded = loading.load_text("t.csv", content)
    assert loaded.rows == [(1, "x y"), (2, 'q"q'), (3, "ü")]


def test_line_ends_inside_quotes_belong_to_the_value(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", 'a,b\r\n1,"x\ny"\r\n2,"p\r\nq"\r\n3,r\r\n')
    assert loaded.rows == [(1, "x\ny"), (2, "p\r\nq"), (3, "r")]


def test_codes_with_leading_zeros_stay_text_wherever_the_first_one_stands(loading: Loading) -> None:
    rows = "".join(f"{10000 + n % 80000},{n}\n" for n in range(30_000))
    loaded = loading.load_text("t.csv", f"zip,n\n{rows}01234,1\n")
    assert loaded.types == {"zip": "VARCHAR", "n": "BIGINT"}
    assert loaded.rows[-1] == ("01234", 1)
    assert loaded.rows[0] == ("10000", 0)


@pytest.mark.parametrize(
    ("late", "kind", "value"),
    [
        ("2.5", "DOUBLE", 2.5),
        ("12345678901234567890", "DECIMAL(38,0)", Decimal(12345678901234567890)),
        ("0x1F", "VARCHAR", "0x1F"),
    ],
)
def test_a_late_value_that_a_cast_would_change_changes_the_type_instead(
    loading: Loading, late: str, kind: str, value: object
) -> None:
    loaded = loading.load_text("t.csv", "a,b\n" + "".join(f"{n},x\n" for n in range(20_000)) + f"{late},y\n")
    assert (loaded.types["a"], loaded.column("a")[-1]) == (kind, value)
    assert loaded.answer["rejected"] == 0


def test_a_late_time_of_day_is_not_cut_off_a_date(loading: Loading) -> None:
    content = "d,n\n" + "2020-01-01,1\n" * 10_000 + "2020-01-02 10:00:00,2\n"
    loaded = loading.load_text("t.csv", content)
    assert loaded.types["d"] == "TIMESTAMP WITH TIME ZONE"
    assert loaded.column("d")[-1] == dt.datetime(2020, 1, 2, 10, tzinfo=UTC)


def test_ragged_and_misquoted_rows_are_rejected_with_their_physical_lines(loading: Loading) -> None:
    content = 'a,b,c\n1,x,1\n2,y\n3,z,3,extra\n5,"q\nr",5\n6,"un"q,6\n7,ok,7\n' + "".join(
        f"{n},p,{n}\n" for n in range(8, 300)
    )
    loaded = loading.load_text("t.csv", content)
    assert [(each["line"], each["text"]) for each in loaded.rejects] == [
        (3, "2,y"),
        (4, "3,z,3,extra"),
        (7, '6,"un"q,6'),
    ]
    assert [each["reason"] for each in loaded.rejects] == [
        "2 columns where 3 are expected",
        "4 columns where 3 are expected",
        "a quote is not closed, or text follows a closing quote",
    ]
    assert loaded.rows[1] == (5, "q\nr", 5)
    assert loaded.answer["rows"] == 295


def test_few_bad_values_are_rejected_and_many_make_the_column_text(loading: Loading) -> None:
    good = [f"{n},1.5" for n in range(1, 1001)]
    few = loading.load_text("t.csv", "a,x\n" + "\n".join([*good[:500], "oops,1.5", *good[500:]]) + "\n")
    assert few.types["a"] == "BIGINT"
    assert few.answer["rows"] == 1000
    assert few.rejects[0] | {"text": ""} == {
        "source": "t.csv",
        "line": 502,
        "column": "a",
        "reason": "'oops' is not a BIGINT",
        "text": "",
    }
    many = loading.load_text("t.csv", "a,x\n" + "\n".join([*good[:50], *["oops,1.5"] * 5]) + "\n")
    assert many.types["a"] == "VARCHAR"
    assert many.answer["rejected"] == 0
    assert "kept as text" in many.notes
    assert "oops" in many.notes


def test_bad_values_after_the_first_rows_are_rejected_or_widen_the_column(loading: Loading) -> None:
    start = "a,x\n" + "".join(f"{n},{n}.5\n" for n in range(30_000))
    few = loading.load_text("t.csv", start + "30000,bad\nworse,1.5\n")
    assert few.types == {"a": "BIGINT", "x": "DOUBLE"}
    assert [(each["line"], each["column"]) for each in few.rejects] == [(30_002, "x"), (30_003, "a")]
    many = loading.load_text("t.csv", start + "30000,bad\n" * 1_000)
    assert many.types == {"a": "BIGINT", "x": "VARCHAR"}
    assert (many.answer["rows"], many.answer["rejected"]) == (31_000, 0)


def test_marks_for_missing_values_are_null_only_in_typed_columns(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "code,speed,empty\nNA,1.5,\nUS,NA,\n,2,\n")
    assert loaded.types == {"code": "VARCHAR", "speed": "DOUBLE", "empty": "VARCHAR"}
    assert loaded.rows == [("NA", 1.5, None), ("US", None, None), (None, 2.0, None)]
    assert "'speed'" in loaded.notes


def test_dates_in_other_notations_are_read_if_they_are_clear(loading: Loading) -> None:
    clear = loading.load_text("t.csv", "d,t\n31/12/2020,31/12/2020 10:00\n01/02/2021,01/02/2021 11:30\n")
    assert clear.rows[1] == (dt.date(2021, 2, 1), dt.datetime(2021, 2, 1, 11, 30, tzinfo=UTC))
    assert "%d/%m/%Y" in clear.notes
    unclear = loading.load_text("t.csv", "d,n\n01/02/2020,1\n03/04/2020,2\n")
    assert unclear.rows[0] == ("01/02/2020", 1)
    assert "cannot be told apart" in unclear.notes


def test_header_names_are_made_usable_and_told(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "a,A,,a b,größe,\n1,2,3,4,5,6\n")
    assert list(loaded.types) == ["a", "A_2", "column_3", "a b", "größe", "column_6"]
    assert "A → A_2" in loaded.notes
    assert "column_3, column_6" in loaded.notes


def test_lines_above_the_header_are_passed_over_and_told(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "My report\ngenerated today\n\na,b,c\n1,2,x\n4,5\n7,8,y\n")
    assert loaded.rows == [(1, 2, "x"), (7, 8, "y")]
    assert loaded.rejects[0]["line"] == 6
    assert "2 lines before the header" in loaded.notes


def test_a_file_without_header_keeps_its_first_row(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "1,2.5,x\n2,3.5,y\n")
    assert list(loaded.types) == ["column_1", "column_2", "column_3"]
    assert len(loaded.rows) == 2


def test_a_header_alone_makes_a_table_without_rows(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "a,b\n")
    assert loaded.types == {"a": "VARCHAR", "b": "VARCHAR"}
    assert (loaded.answer["rows"], loaded.answer["files"]) == (0, [])


def test_blank_lines_alone_are_an_error(loading: Loading) -> None:
    with pytest.raises(UnreadableSource, match="nothing but blank lines"):
        loading.load_text("t.csv", "\n\n  \n")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
def test_wide_encodings_are_read(loading: Loading, encoding: str) -> None:
    loaded = loading.load_text("t.csv", "name,n\ncafé,1\n東京,2\n".encode(encoding))
    assert loaded.types == {"name": "VARCHAR", "n": "BIGINT"}
    assert loaded.rows == [("café", 1), ("東京", 2)]


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("latin-1", ["café", "Größe", "mañana"]),
        ("cp1252", ["€5", "„quoted“", "garçon"]),
        ("cp1251", ["Москва", "город"]),
        ("gb18030", ["北京", "首都城市"]),
        ("shift_jis", ["東京とし", "大阪"]),
    ],
)
def test_older_encodings_are_guessed_and_told(loading: Loading, encoding: str, words: list[str]) -> None:
    content = "name,n\n" + "".join(f"{word},{n}\n" for n, word in enumerate(words * 20))
    loaded = loading.load_text("t.csv", content.encode(encoding))
    assert [name for name, _ in loaded.rows[: len(words)]] == words
    assert "not UTF-8" in loaded.notes


def test_lines_in_another_encoding_are_rejected_not_garbled(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", b"n,name\n1,caf\xc3\xa9\n2,caf\xe9\n3,z\xc3\xa9\n")
    assert loaded.rows == [(1, "café"), (3, "zé")]
    assert [(each["line"], each["text"]) for each in loaded.rejects] == [(3, "2,caf\\xe9")]
    assert "other encoding" in loaded.notes


@pytest.mark.parametrize("word", ["日本語", "العربية", "עברית", "ไทย", "🦆 emoji", "a\u0301"])
def test_text_of_any_script_comes_through(loading: Loading, word: str) -> None:
    loaded = loading.load_text("t.csv", f"{word},n\n{word},1\n")
    assert loaded.rows[0][0] == word


def test_compressed_text_is_unpacked(loading: Loading) -> None:
    import pyarrow as pa

    content = b"a,b\n1,x\n2\n3,z\n"
    packed = gzip.compress(content)
    assert loading.load_text("t.csv.gz", packed).rows == [(1, "x"), (3, "z")]
    assert loading.load_text("named_wrongly.csv", packed).rejects[0]["line"] == 3
    zstd = pa.compress(content, codec="zstd", asbytes=True)
    assert loading.load_text("t.csv.zst", zstd).rows == [(1, "x"), (3, "z")]
    with pytest.raises(UnreadableSource, match="damaged or cut off"):
        loading.load_text("cut.csv.gz", packed[:-12])


def test_too_many_columns_name_the_limit(loading: Loading) -> None:
    header = ",".join(f"c{n}" for n in range(10_000))
    row = ",".join("1" for _ in range(10_000))
    with pytest.raises(InvalidInput, match="10,000 columns; the limit is 4,096"):
        loading.load_text("t.csv", f"{header}\n{row}\n")


def test_thousands_of_columns_are_read(loading: Loading) -> None:
    header = ",".join(f"c{n}" for n in range(4_000))
    row = ",".join(str(n) for n in range(4_000))
    loaded = loading.load_text("t.csv", f"{header}\n{row}\n{row}\n")
    assert loaded.rows[1] == tuple(range(4_000))


def test_file_names_with_quotes_and_wildcards_mean_themselves(loading: Loading) -> None:
    path = loading.text('it\'s [1]*?{a,b} "x".csv', "a\n1\n")
    (path.parent / "it's 1 x.csv").write_text("a\n2\n")
    assert loading.load(path).rows == [(1,)]


def test_many_files_become_one_table_by_column_name(loading: Loading) -> None:
    folder = loading.text("a.csv", "n,x\n1,1\n2,2\n").parent
    (folder / "b.csv").write_text("x;m\n2.5;late\n")
    (folder / "c.csv").write_text("N,x\n3,\n")
    loaded = loading.load(folder)
    assert loaded.types == {"n": "BIGINT", "x": "DOUBLE", "m": "VARCHAR"}
    assert loaded.rows == [(1, 1.0, None), (2, 2.0, None), (None, 2.5, "late"), (3, None, None)]


def test_rejects_of_many_files_name_their_file(loading: Loading) -> None:
    folder = loading.text("a.csv", "n,x\n1,1\n2\n").parent
    (folder / "b.csv").write_text('n,x\n1,"multi\nline"\n2\n')
    loaded = loading.load(folder)
    assert [(each["source"], each["line"]) for each in loaded.rejects] == [("a.csv", 3), ("b.csv", 4)]
    assert len(loaded.rows) == 2


def test_an_empty_file_among_others_is_told(loading: Loading) -> None:
    folder = loading.text("a.csv", "n\n1\n").parent
    (folder / "b.csv").write_text("")
    loaded = loading.load(folder)
    assert loaded.rows == [(1,)]
    assert "b.csv is empty" in loaded.notes


def test_real_files_are_read(loading: Loading) -> None:
    weather = loading.load_text("weather.csv", (DATA / "nycflights13_weather.csv").read_bytes())
    assert weather.types["wind_gust"] == "DOUBLE"
    assert weather.types["time_hour"] == "TIMESTAMP WITH TIME ZONE"
    assert (weather.answer["rows"], weather.answer["rejected"]) == (399, 0)
    grads = loading.load_text("grads.csv", (DATA / "538_recent-grads.csv").read_bytes())
    assert grads.types["Major_code"] == "BIGINT"
    assert grads.types["ShareWomen"] == "DOUBLE"
    assert grads.answer["rows"] == 173
