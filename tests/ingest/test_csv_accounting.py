"""Every record of a delimited text is loaded or rejected, whatever is wrong with the others."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest

from ingest.harness import Loading
from mcp_lakehouse.ingest.csv_dialect import Dialect
from mcp_lakehouse.ingest.csv_repair import count_by_quotes, quick_count, repair
from mcp_lakehouse.ingest.csv_text import MAX_LINE_BYTES, Scan, TextFile

PIECES = [
    "a",
    "bc",
    "déf",
    "日本",
    "x y",
    '"',
    '""',
    ",",
    ";",
    "\n",
    "\r\n",
    "\t",
    "'",
    "1",
    "2.5",
    "007",
    "NA",
    "",
    "\\",
]
PLAIN = Dialect(delimiter=",", quote='"', escape='"', skip=0, header=True, names=("a", "b"))


def written(rows: list[list[str]], delimiter: str, end: str, quoting: int) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize("seed", range(40))
def test_what_a_csv_writer_wrote_is_read_back_and_bad_rows_are_rejected(loading: Loading, seed: int) -> None:
    dice = random.Random(seed)
    width, delimiter, end = dice.randint(2, 5), dice.choice(",;\t|"), dice.choice(["\n", "\r\n"])
    quoting = dice.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    text = written([[f"column {n}" for n in range(width)]], delimiter, end, quoting)
    defects = {"few": "zz", "many": delimiter.join(["z"] * (width + 2)), "quote": '"z"z' + delimiter * (width - 1)}
    rows: list[tuple[str | None, ...]] = []
    bad_lines: list[int] = []
    for _ in range(dice.randint(5, 40)):
        if dice.random() < 0.1:
            bad_lines.append(text.count("\n") + 1)
            text += dice.choice(list(defects.values())) + end
        row = ["text" + "".join(dice.choice(PIECES) for _ in range(dice.randint(0, 3))) for _ in range(width)]
        text += written([row], delimiter, end, quoting)
        rows.append(tuple(row))
    loaded = loading.load_text("t.csv", text)
    assert loaded.rows == rows
    assert [each["line"] for each in loaded.rejects] == bad_lines


def test_lines_are_right_far_into_a_large_file(loading: Loading) -> None:
    dice = random.Random(1)
    out, bad, line = ["id,name,v\n"], [], 2
    for number in range(300_000):
        if dice.random() < 0.0005:
            bad.append(line)
            out.append(dice.choice([f"{number}\n", f"{number},a,1.5,9\n", f"{number}x,a,b\n", f'{number},"a"b,1.5\n']))
            line += 1
        elif dice.random() < 0.01:
            out.append(f'{number},"two\nlines {number}",1.5\n')
            line += 2
        else:
            out.append(f"{number},name {number} with some padding,{number}.5\n")
            line += 1
    loaded = loading.load_text("t.csv", "".join(out))
    assert loaded.types == {"id": "BIGINT", "name": "VARCHAR", "v": "DOUBLE"}
    assert [each["line"] for each in loaded.rejects] == bad
    assert loaded.answer["rows"] + len(bad) == 300_000


@pytest.mark.parametrize("megabytes", [5, 40])
def test_a_huge_line_is_rejected_and_its_neighbours_are_not(loading: Loading, megabytes: int) -> None:
    line = b"2," + b"z" * (megabytes * 1_000_000)
    loaded = loading.load_text("t.csv", b"a,b\n1,x\n" + line + b"\n3,y\n")
    assert loaded.rows == [(1, "x"), (3, "y")]
    (reject,) = loaded.rejects
    assert (reject["line"], len(reject["text"])) == (3, 2_000)
    assert "limit" in reject["reason"] or "longer than" in reject["reason"]


@pytest.mark.parametrize("rows_after", [3, 3_000_000])
def test_a_quote_that_is_never_closed_costs_one_line(loading: Loading, rows_after: int) -> None:
    loaded = loading.load_text("t.csv", b'a,b\n1,x\n2,"zz\n' + b"3,abcdefgh\n" * rows_after)
    assert loaded.answer["rows"] == 1 + rows_after
    assert loaded.types == {"a": "BIGINT", "b": "VARCHAR"}
    assert loaded.rejects == [
        {
            "source": "t.csv",
            "line": 3,
            "column": None,
            "reason": "a quote is opened here and never closed",
            "text": '2,"zz\n',
        }
    ]


def test_blank_lines_are_no_rows(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "a,b\n\n1,x\n\n\n2,y\n\n")
    assert loaded.rows == [(1, "x"), (2, "y")]


def test_mixed_line_ends_are_each_the_end_of_a_line(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "a,b\r\n1,x\n2,y\r\n3\n4,z\r5,u\n")
    assert loaded.rows == [(1, "x"), (2, "y"), (4, "z"), (5, "u")]
    assert loaded.rejects[0]["line"] == 4
    assert "ends lines in several ways" in loaded.notes


def test_only_so_many_rejects_are_kept_but_all_are_counted(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "a,b\n" + "1,x\n" * 1000 + "bad\n" * 500, rejects_kept=10)
    assert (loaded.answer["rejected"], len(loaded.rejects)) == (500, 10)


def test_rejected_text_is_cut(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "a,b\n1,x\n" + "y" * 5_000 + "\n")
    assert len(loaded.rejects[0]["text"]) == 2_000


def text_file(path: Path, content: bytes) -> TextFile:
    path.write_bytes(content)
    return TextFile(path, False, Scan(content.count(b"\n"), 0, 0, True, content.endswith(b"\n")))


def test_records_are_counted_by_lines_by_quotes_and_exactly(tmp_path: Path) -> None:
    simple = text_file(tmp_path / "a", b"a,b\n1,2\n3,4")
    assert (quick_count(simple, PLAIN), count_by_quotes(simple, PLAIN, single=False)) == (2, 2)
    quoted = text_file(tmp_path / "b", b'a,b\n1,"x\ny"\n\n3,"p""\nq"\n')
    assert (quick_count(quoted, PLAIN), count_by_quotes(quoted, PLAIN, single=False)) == (5, 2)
    inches = text_file(tmp_path / "c", b'a,b\n1,5" pipe\n2,x\n')
    assert count_by_quotes(inches, PLAIN, single=False) is None
    assert repair(inches, PLAIN, tmp_path / "d", single=False) == ({}, 2)


def test_repair_marks_only_what_cannot_be_read(tmp_path: Path) -> None:
    long = b"9," + b"z" * MAX_LINE_BYTES
    text = text_file(tmp_path / "a", b'a,b\n1,"two\nlines"\n2,"open\n3,"x"\n' + long + b"\n4,y\n")
    bad, records = repair(text, PLAIN, tmp_path / "b", single=False)
    assert sorted(bad) == [4, 6]
    assert records == 5
    lines = (tmp_path / "b").read_bytes().splitlines()
    assert lines == [b"a,b", b'1,"two', b'lines"', b'"x"y', b'3,"x"', b'"x"y', b"4,y"]


@pytest.mark.parametrize(
    ("late", "rows", "told"),
    [
        ("caf\xe9,1\n".encode("latin-1"), [("café", 1)], "was read as cp1252"),
        (b"x,1\r\ny,2\n", [("x", 1), ("y", 2)], "ends lines in several ways"),
        ('é,1\n"two\r\nlines",2\n'.encode(), [("é", 1), ("two\r\nlines", 2)], ""),
    ],
)
def test_what_comes_late_in_a_large_file_is_seen(
    loading: Loading, late: bytes, rows: list[tuple[str, int]], told: str
) -> None:
    """Large files are looked through while the engine reads them already."""
    start = b"name,n\n" + b"a name of some length,1234567\n" * 1_200_000
    loaded = loading.load_text("t.csv", start + late)
    assert loaded.answer["rows"] == 1_200_000 + len(rows)
    assert loaded.rows[-len(rows) :] == rows
    assert loaded.answer["rejected"] == 0
    assert told in loaded.notes
