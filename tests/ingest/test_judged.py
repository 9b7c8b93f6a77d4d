"""Files that once crashed a load, lost something without a word, or named the wrong thing."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import zipfile
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from ingest.harness import Loading, pdf, workbook, write_parquet
from mcp_lakehouse.errors import SchemaMismatch, UnreadableSource
from mcp_lakehouse.ingest.csv_dialect import detect
from mcp_lakehouse.ingest.loader import unforeseen
from mcp_lakehouse.ingest.sources import InlineText


@pytest.mark.parametrize("content", ['a,b\n1,"x\n', 'a\n"\n'])
def test_a_table_whose_only_row_has_an_open_quote_is_refused_with_its_line(loading: Loading, content: str) -> None:
    with pytest.raises(UnreadableSource, match=r"all 1 rows of t\.csv were rejected \(line 2: a quote is opened"):
        loading.load_text("t.csv", content)


def test_rows_with_open_quotes_below_the_header_are_rejected(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", 'a,b,c\n1,"2,3\n4,5,6\n"7,8,9\n')
    assert loaded.rows == [(4, 5, 6)]
    assert [reject["line"] for reject in loaded.rejects] == [2, 4]


@pytest.mark.parametrize(
    ("content", "names", "rows"),
    [
        ("# made by x\n# on y\na,b\n1,2\n3,4\n", ["a", "b"], [(1, 2), (3, 4)]),
        ("# x, y\na,b\n1,2\n", ["a", "b"], [(1, 2)]),
        ("# it's one\n\n# two\nname\nx\ny\n", ["name"], [("x",), ("y",)]),
        ("# made by x\n#id,b\n1,2\n", ["#id", "b"], [(1, 2)]),
        ("#id,b\n1,2\n", ["#id", "b"], [(1, 2)]),
        ("#tag,of\n#foo,a\nbar,b\n", ["#tag", "of"], [("#foo", "a"), ("bar", "b")]),
        ("#tag\nx\ny\n", ["#tag"], [("x",), ("y",)]),
    ],
)
def test_comments_above_a_header_are_passed_over_but_a_header_may_begin_with_the_sign(
    loading: Loading, content: str, names: list[str], rows: list[tuple[object, ...]]
) -> None:
    loaded = loading.load_text("t.csv", content)
    assert (list(loaded.types), loaded.rows, loaded.rejects) == (names, rows, [])
    assert ("passed over: #" in loaded.notes) == (names[0][0] != "#" or content.startswith("# made"))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("sep=;\na;b\n1;2\n3;4\n", [(1, 2), (3, 4)]),
        ("\ufeffsep=,\r\na,b\r\n1;2,3\r\n4;5,6\r\n", [("1;2", 3), ("4;5", 6)]),
        ('"sep=^"\na^b\n1^2\n', [(1, 2)]),
    ],
)
def test_the_line_that_names_the_delimiter_is_obeyed_and_is_no_row(
    loading: Loading, content: str, rows: list[tuple[object, ...]]
) -> None:
    loaded = loading.load_text("t.csv", content)
    assert (list(loaded.types), loaded.rows) == (["a", "b"], rows)


@pytest.mark.parametrize("content", ["t\n12:30\n", "t\n2020-01-01\n", "f\n1\n", "t\nfoo\nbar\n"])
def test_a_name_of_one_letter_that_could_be_a_truth_is_still_a_header(content: str) -> None:
    dialect = detect(content)
    assert dialect is not None
    assert (dialect.header, dialect.names) == (True, (content[0],))


def test_letters_for_truths_are_rows_where_more_follow() -> None:
    dialect = detect("t\nf\nt\n")
    assert dialect is not None
    assert not dialect.header


def test_text_with_zero_bytes_is_no_text(loading: Loading) -> None:
    with pytest.raises(UnreadableSource, match="binary data"):
        loading.load_text("t.csv", b"a,b\n1,x\0y\n" + b"3,4\n" * 1000)


def test_a_line_with_a_repeated_key_is_rejected_with_its_number(loading: Loading) -> None:
    loaded = loading.load_text("t.ndjson", '{"id":1}\n{"id":1,"id":2}\n{"id":3}\n')
    assert loaded.rows == [(1,), (3,)]
    assert [(each["line"], each["reason"]) for each in loaded.rejects] == [
        (2, "the key 'id' stands twice in one object")
    ]


def test_lines_that_are_mostly_bad_are_refused_with_the_first_one_and_their_share(loading: Loading) -> None:
    with pytest.raises(
        UnreadableSource, match=r"t\.ndjson cannot be read: 4 of its 7 lines are bad, the first is line 2"
    ):
        loading.load_text("t.ndjson", '{"id":1}\nxx\nyy\n{"id":2}\nzz\n{"id":3}\nqq\n')


def test_a_repeated_key_in_a_list_is_told_without_the_name_of_a_file_that_the_user_never_saw(loading: Loading) -> None:
    with pytest.raises(UnreadableSource, match='duplicate key "id"') as caught:
        loading.load(InlineText('[{"id":1},\n{"id":1,"id":2}]', "notes.json"))
    assert "in file" not in caught.value.message


@pytest.mark.parametrize(
    ("number", "kind", "value"),
    [
        ("18446744073709551616", "DECIMAL(38,0)", Decimal(2**64)),
        ("-9223372036854775809", "DECIMAL(38,0)", Decimal(-(2**63) - 1)),
        ("1" * 38, "DECIMAL(38,0)", Decimal("1" * 38)),
        ("1" * 45, "VARCHAR", "1" * 45),
    ],
)
def test_whole_numbers_of_json_keep_all_their_digits(loading: Loading, number: str, kind: str, value: object) -> None:
    loaded = loading.load_text("t.ndjson", f'{{"id":{number}}}\n{{"id":3}}\n')
    assert (loaded.types["id"], loaded.column("id")[0]) == (kind, value)
    assert ("38 digits" in loaded.notes) == (kind == "VARCHAR")


def test_numbers_of_json_that_must_change_are_told(loading: Loading) -> None:
    loaded = loading.load_text("t.ndjson", '{"id":1e400,"n":1.5}\n{"id":3,"n":18446744073709551617}\n')
    assert loaded.types == {"id": "DOUBLE", "n": "DOUBLE"}
    assert "'id': 1 numbers beyond the range" in loaded.notes
    assert "'n': 1 whole numbers with too many digits" in loaded.notes


def test_decimals_that_a_double_would_round_are_decimals(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "v,w\n12345678901234567.89,1\n-1.5,2\n,0.30000000000000004\n")
    assert loaded.types == {"v": "DECIMAL(19,2)", "w": "DOUBLE"}
    assert loaded.column("v") == [Decimal("12345678901234567.89"), Decimal("-1.50"), None]
    assert loaded.column("w")[2] == 0.1 + 0.2
    assert "rounded" not in loaded.notes


def test_digits_that_no_type_keeps_are_told_and_numbers_beyond_all_stay_text(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "v,w\n0.123456789012345678901,1e400\n1.5,2\n2,3\n")
    assert loaded.types == {"v": "DOUBLE", "w": "VARCHAR"}
    assert "'v' is DOUBLE: numbers of over 16 digits, such as '0.123456789012345678901', were rounded" in loaded.notes
    assert "'w' is kept as text: 1 values are not BIGINT, such as '1e400'" in loaded.notes


@pytest.mark.parametrize("source", ["t.csv", "t.ndjson"])
def test_a_whole_number_that_a_double_column_would_round_is_refused(loading: Loading, source: str) -> None:
    content = {"t.csv": "id\n1\n{}\n", "t.ndjson": '{{"id":1}}\n{{"id":{}}}\n'}[source]
    loaded = loading.load_text(source, content.format(2**53), columns=[("id", "DOUBLE")])
    assert loaded.column("id") == [1.0, 2.0**53]
    with pytest.raises(SchemaMismatch, match=r"! id +DOUBLE +BIGINT"):
        loading.load_text(source, content.format(2**53 + 1), columns=[("id", "DOUBLE")])


@pytest.mark.parametrize("before", ["INTEGER", "BIGINT"])
@pytest.mark.parametrize("rows", [1, 10_000])
def test_whole_numbers_wider_than_the_column_widen_it(loading: Loading, before: str, rows: int) -> None:
    content = "id,v\n" + "1,a\n" * rows + "12345678901234567890,b\n"
    loaded = loading.load_text("t.csv", content, columns=[("id", before), ("v", "VARCHAR")])
    assert loaded.types["id"] == "DECIMAL(38,0)"
    assert (loaded.column("id")[-1], loaded.rejects) == (Decimal(12345678901234567890), [])


def test_plain_numbers_join_a_decimal_column_only_if_no_digit_is_lost(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "v\n1.5\n22\n", columns=[("v", "DECIMAL(19,2)")])
    assert (loaded.types, loaded.rows) == ({"v": "DECIMAL(19,2)"}, [(Decimal("1.50"),), (Decimal("22.00"),)])
    with pytest.raises(SchemaMismatch):
        loading.load_text("t.csv", "v\n1.505\n", columns=[("v", "DECIMAL(19,2)")])
    with pytest.raises(SchemaMismatch):
        loading.load_text("t.csv", "v\n123456.5\n", columns=[("v", "DECIMAL(5,2)")])


def test_decimal_commas_are_read_where_semicolons_part_the_fields(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "v;code\n1,75;007\n1.234,5;1,5\n-2;2\n")
    assert loaded.types == {"v": "DOUBLE", "code": "VARCHAR"}
    assert loaded.column("v") == [1.75, 1234.5, -2.0]
    assert "'v' was read as numbers with decimal commas" in loaded.notes


@pytest.mark.parametrize("values", [("1,234", "22,345"), ("1,234.75", "2"), ("$5.00", "$2"), ("5 %", "7,5 %")])
def test_numbers_written_otherwise_stay_text_and_are_told(loading: Loading, values: tuple[str, str]) -> None:
    loaded = loading.load_text("t.csv", "v;w\n" + "".join(f"{value};x\n" for value in values))
    assert loaded.column("v") == list(values)
    assert "'v' is kept as text: its values look like numbers with separators or units" in loaded.notes


def test_formulas_without_stored_values_are_told(loading: Loading) -> None:
    plain = workbook({"s": [["a", "b", "c"], [1, 7, "x"], [2, 8, "y"]]})
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            for value in (b"7", b"8"):
                content = content.replace(b"<c><v>%s</v></c>" % value, b"<c><f>A1*7</f></c>")
            new.writestr(name, content)
    loaded = loading.load_text("t.xlsx", out.getvalue())
    assert loaded.column("b") == [None, None]
    assert "no values in 'b': the workbook has formulas without stored values" in loaded.notes
    assert "formulas" not in loading.load_text("t.xlsx", plain).notes


def test_one_unreadable_document_among_others_is_left_out_and_named_with_a_way_on(loading: Loading) -> None:
    files = [loading.text("good.pdf", pdf(["one"])), loading.text("locked.pdf", pdf(["two"], password="x"))]
    loaded = loading.load(files)
    assert [text.strip() for text in loaded.column("text")] == ["one"]
    assert loaded.answer["left_out"] == [1]
    assert "left out: locked.pdf is encrypted: it opens only with a password; save it without one" in loaded.notes


def test_a_document_that_breaks_off_brings_nothing(loading: Loading) -> None:
    torn = [loading.text(f"{name}.pdf", pdf([""])) for name in ("images", "blank")]
    loaded = loading.load([*torn, loading.text("good.txt", "words")])
    assert loaded.column("text") == ["words"]
    with pytest.raises(UnreadableSource, match=r"none of the 2 files can be read; the first: images\.pdf has no text"):
        loading.load(torn)


def test_a_table_found_to_be_torn_only_when_it_is_read_is_left_out_whole(loading: Loading) -> None:
    rows = "".join(f"{number},x\n" for number in range(50_000)).encode()
    parquet_file = write_parquet(loading.folder / "torn.parquet", "SELECT range AS a, 'x' AS b FROM range(50000)")
    damaged = bytearray(parquet_file.read_bytes())
    damaged[1000:9000] = bytes(8000)
    files = [
        loading.text("a.csv", "a,b\n1,x\n"),
        loading.text("torn.csv.gz", gzip.compress(b"a,b\n" + rows)[:20_000]),
        loading.text("torn.parquet", bytes(damaged)),
        loading.text("b.csv", "a,b\n2,y\n"),
    ]
    loaded = loading.load(files)
    assert loaded.rows == [(1, "x"), (2, "y")]
    assert (loaded.answer["rejected"], sorted(loaded.answer["left_out"])) == (2, [1, 2])
    assert sorted(each["source"] for each in loaded.rejects) == ["torn.csv.gz", "torn.parquet"]


def test_nanoseconds_are_cut_alike_in_all_formats_and_told(loading: Loading) -> None:
    texts = ("2020-01-02 03:04:05.123456789", "1960-01-02 03:04:05.123456789")
    wanted = [dt.datetime(year, 1, 2, 3, 4, 5, 123456, tzinfo=dt.UTC) for year in (2020, 1960)]
    written = write_parquet(loading.folder / "ns.parquet", f"SELECT unnest({list(texts)})::TIMESTAMP_NS AS t")
    for loaded in (loading.load(written), loading.load_text("t.csv", "t\n" + "\n".join(texts))):
        assert loaded.column("t") == wanted
        assert "column 't': times are kept to the microsecond" in loaded.notes


def test_decimals_wider_than_any_type_are_told(loading: Loading) -> None:
    path = loading.folder / "wide.parquet"
    wide = pa.array([Decimal("1234567890123456789012345678901234567890.12")], pa.decimal256(50, 2))
    parquet.write_table(pa.table({"d": wide}), path)
    assert "more than 38 digits were rounded to DOUBLE: 'd'" in loading.load(path).notes


def test_what_no_reader_foresaw_names_the_file_and_says_what_to_do() -> None:
    error = unforeseen({"files": [{"name": "t.csv"}]}, IndexError("list index out of range"))
    assert isinstance(error, UnreadableSource)
    assert "t.csv cannot be read (IndexError" in error.message
    assert error.hint
