"""Files of a folder, a glob or a list that cannot be read: the others are loaded, and these are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.harness import pdf
from lake.places import Place, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import NotFound, UnreadableSource


@pytest.fixture
def letters(prepared: Place) -> Path:
    """A folder with a readable PDF, an encrypted one, and a picture that is called a PDF."""
    folder = prepared.files / "letters"
    folder.mkdir()
    (folder / "good.pdf").write_bytes(pdf(["The otter floats."]))
    (folder / "locked.pdf").write_bytes(pdf(["secret"], password="x"))
    (folder / "picture.pdf").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    return folder


def reasons(lake: Lakehouse, uri: str | None) -> dict[object, object]:
    """The reasons of a load's rejects by their source."""
    assert uri is not None
    page = lake.read_result(uri)
    places = [[column.name for column in page.columns].index(name) for name in ("source", "line", "reason")]
    found = [[row[place] for place in places] for row in page.rows]
    assert all(line is None for _, line, _ in found)
    return {source: reason for source, _, reason in found}


def test_the_others_of_a_folder_are_loaded_and_the_bad_ones_told(prepared: Place, letters: Path) -> None:
    with prepared.open() as lake:
        report = lake.ingest(letters)
        assert (report.dataset, report.version, report.rows_added, report.rows_rejected) == ("letters", 0, 1, 2)
        told = reasons(lake, report.rejects_uri)
        assert "encrypted" in str(told["locked.pdf"])
        assert "PNG" in str(told["picture.pdf"])
        assert any("locked.pdf is encrypted" in note for note in report.notes)
        assert rows(lake, "SELECT source FROM letters") == [["good.pdf"]]
        assert lake.describe_dataset("letters").lineage[0].source == "good.pdf"


@pytest.mark.parametrize("glob", [True, False])
def test_it_is_the_same_for_a_glob_and_for_a_list(prepared: Place, letters: Path, glob: bool) -> None:
    with prepared.open() as lake:
        source = f"{letters}/*.pdf" if glob else [str(path) for path in sorted(letters.iterdir())]
        report = lake.ingest(source, dataset="letters")
        assert (report.rows_added, report.rows_rejected) == (1, 2)


def test_a_single_file_and_a_folder_of_nothing_else_are_errors(prepared: Place, letters: Path) -> None:
    with prepared.open() as lake:
        with pytest.raises(UnreadableSource, match=r"locked\.pdf is encrypted"):
            lake.ingest(letters / "locked.pdf")
        with pytest.raises(UnreadableSource, match="none of the 2 files can be read"):
            lake.ingest([letters / "locked.pdf", letters / "picture.pdf"])
        with pytest.raises(NotFound, match="gone"):
            lake.ingest([letters / "good.pdf", letters / "gone.pdf"])
        assert lake.list_datasets(match="l").datasets == []


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_the_same_folder_again_changes_nothing_and_still_tells(prepared: Place, letters: Path, mode: str) -> None:
    with prepared.open() as lake:
        first = lake.ingest(letters, mode=mode)
        again = lake.ingest(letters, mode=mode)
        assert (again.unchanged, again.version, again.rows_added) == (True, first.version, 0)
        assert any("left out" in note and "locked.pdf" in note for note in again.notes)


def test_a_file_that_was_mended_is_loaded_alone(prepared: Place, letters: Path) -> None:
    with prepared.open() as lake:
        lake.ingest(letters)
        (letters / "locked.pdf").write_bytes(pdf(["no secret"]))
        report = lake.ingest(letters)
        assert (report.version, report.rows_added, report.rows_rejected) == (1, 1, 1)
        assert rows(lake, "SELECT source FROM letters ORDER BY ALL") == [["good.pdf"], ["locked.pdf"]]
