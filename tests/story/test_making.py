"""The same seed gives the same files; wrong use and interruption leave nothing behind."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet
import pytest

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.cli import main
from mcp_lakehouse.errors import Cancelled, InvalidInput
from mcp_lakehouse.story.making import FORMATS, make_story
from story.conftest import Story


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        make_story(tmp_path / name, workers=300, resumes=20, seed=seed, formats=FORMATS)
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert len(first) == 6 * 3 + 20 * 2
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


def test_the_first_of_many_are_the_same_people(story: Story, tmp_path: Path) -> None:
    make_story(tmp_path / "few", workers=100, resumes=50, seed=7)
    few = pyarrow.parquet.read_table(tmp_path / "few" / "resumes.parquet")
    assert few.equals(story.table("resumes").slice(0, 50))


def test_every_format_holds_the_same_rows(tmp_path: Path) -> None:
    make_story(tmp_path / "a", workers=60, resumes=9, seed=2, formats=["csv", "ndjson", "parquet"])
    for name in ("workers", "resumes", "fills"):
        rows = pyarrow.parquet.read_table(tmp_path / "a" / f"{name}.parquet").to_pylist()
        with open(tmp_path / "a" / f"{name}.ndjson", encoding="utf-8") as file:
            assert [json.loads(line) for line in file] == json.loads(json.dumps(rows, default=str))
        with open(tmp_path / "a" / f"{name}.csv", encoding="utf-8", newline="") as file:
            read = list(csv.DictReader(file))
        assert [row["worker_id"] for row in read] == [row["worker_id"] for row in rows]
        assert list(read[0]) == list(rows[0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"formats": ["xml"]}, "no format xml"), ({"formats": []}, "no format"), ({"resumes": 11}, "11 résumés of 10")],
)
def test_wrong_use_is_told(tmp_path: Path, wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_story(tmp_path / "a", **({"workers": 10, "resumes": 1, "seed": 1} | wrong))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InvalidInput, match="not empty"):
        make_story(tmp_path, workers=10, resumes=1, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    make_story(tmp_path, workers=10, resumes=1, seed=1)
    assert "workers.parquet" in contents(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_cancelled_story_leaves_nothing(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        make_story(tmp_path / "a", workers=10, resumes=1, seed=1, cancel=token)
    assert list(tmp_path.iterdir()) == []


def test_the_command_makes_it_and_lists_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sample", str(tmp_path / "a"), "--workers", "50", "--formats", "csv,text", "--seed", "4"]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {file["path"]: file["rows"] for file in told["files"]}["resumes_text"] == 50
    assert all((tmp_path / "a" / file["path"]).exists() for file in told["files"])
    assert main(arguments) == 1
    assert "not empty" in capsys.readouterr().err
    assert main([*arguments[:1], str(tmp_path / "b"), *arguments[2:], "--resumes", "0"]) == 0
    shown = capsys.readouterr()
    assert "workers.csv" in shown.out
    assert "resumes" not in shown.out
    assert "invented" in shown.err
