"""What a source may be, and everything it may not be."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path

import pytest

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, InvalidInput, LimitExceeded, NotAllowed, NotFound, UnreadableSource
from mcp_lakehouse.ingest import walk
from mcp_lakehouse.ingest.allowed import Allowed
from mcp_lakehouse.ingest.sources import (
    InlineText,
    SourceFile,
    dataset_name,
    fingerprint,
    resolve,
    spool_stdin,
)
from mcp_lakehouse.limits import IngestLimits

CSV = "a,b\n1,2\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = tmp_path.resolve() / "data"
    found.mkdir()
    return found


def find(
    root: Path,
    source: str | list[str] | InlineText,
    limits: IngestLimits = IngestLimits(),  # noqa: B008
) -> list[SourceFile]:
    return resolve(source, allowed=Allowed((root,)), limits=limits, scratch=root.parent / "scratch")


def names(files: list[SourceFile]) -> list[str]:
    return [file.name for file in files]


def test_a_file_is_found_by_path_url_and_relative_to_a_root(root: Path) -> None:
    path = root / "sales 1.csv"
    path.write_text(CSV)
    expected = SourceFile(path, "sales 1.csv", "csv", 8)
    assert find(root, str(path)) == [expected]
    assert find(root, f"file://{root}/sales%201.csv") == [expected]
    assert find(root, "sales 1.csv") == [expected]


def test_the_insides_of_a_lake_are_no_sources(root: Path) -> None:
    """The default lake lies in the working directory, whose files are loaded into it."""
    with Lakehouse.open(root / "lakehouse", allow=[root]) as lake:
        lake.ingest({"text": CSV, "name": "t.csv"})
    (root / "a.csv").write_text(CSV)
    (root / "lakehouse" / "mine.csv").write_text(CSV)
    (root / "other" / "tables").mkdir(parents=True)
    (root / "other" / "tables" / "b.csv").write_text(CSV)
    assert names(find(root, str(root))) == ["a.csv", "lakehouse/mine.csv", "other/tables/b.csv"]
    assert names(find(root, f"{root}/**/*.*")) == ["a.csv", "lakehouse/mine.csv", "other/tables/b.csv"]
    inside = find(root, f"{root}/lakehouse/tables/t/*.parquet")
    assert [file.format for file in inside] == ["parquet"]


def test_folders_and_globs_are_walked_in_order_and_skip_what_cannot_be_loaded(root: Path) -> None:
    for name in ("b.csv", "a.csv", ".hidden.csv", "notes.unknown", "sub/c.csv", "sub/deep/d.csv", ".git/e.csv"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(CSV)
    assert names(find(root, str(root))) == ["a.csv", "b.csv", "sub/c.csv", "sub/deep/d.csv"]
    assert names(find(root, f"{root}/*.csv")) == ["a.csv", "b.csv"]
    assert names(find(root, f"{root}/**/*.csv")) == ["a.csv", "b.csv", "sub/c.csv", "sub/deep/d.csv"]
    assert names(find(root, f"{root}/s*/?.csv")) == ["sub/c.csv"]
    assert names(find(root, f"{root}/[!b].csv")) == ["a.csv"]
    assert names(find(root, [f"{root}/a.csv", f"{root}/*.csv"])) == ["a.csv", "b.csv"]


def test_wildcards_in_a_real_name_mean_themselves(root: Path) -> None:
    for name in ("a[1].csv", "a1.csv"):
        (root / name).write_text(CSV)
    assert names(find(root, f"{root}/a[1].csv")) == ["a[1].csv"]


def test_a_sheet_is_named_behind_a_hash(root: Path) -> None:
    from ingest.harness import workbook

    (root / "book.xlsx").write_bytes(workbook({"First": [["a"]], "B": [["b"]]}))
    (found,) = find(root, f"{root}/book.xlsx#B")
    assert (found.name, found.sheet, found.format) == ("book.xlsx#B", "B", "excel")


@pytest.mark.parametrize("source", ["../secret.csv", "sub/../../secret.csv", "link.csv", "linked/secret.csv"])
def test_paths_that_lead_outside_are_refused(root: Path, source: str) -> None:
    (root.parent / "secret.csv").write_text(CSV)
    (root / "link.csv").symlink_to(root.parent / "secret.csv")
    (root / "linked").symlink_to(root.parent)
    for given in (str(root / source), source):
        with pytest.raises(NotAllowed, match="outside"):
            find(root, given)


def test_what_lies_outside_is_not_told_apart_from_what_is_not_there(root: Path) -> None:
    for source in ("/etc/passwd", "/nowhere/at/all.csv", "/**/*.csv", "/etc/*"):
        with pytest.raises(NotAllowed):
            find(root, source)


def test_a_relative_path_from_elsewhere_that_is_nowhere_is_missing_and_not_outside(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (root / "a.csv").write_text(CSV)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "private.csv").write_text(CSV)
    monkeypatch.chdir(elsewhere)
    for source in ("a.cvs", "sub/z.csv", "private.csv", "*.json"):
        with pytest.raises(NotFound):
            find(root, source)
    with pytest.raises(NotFound) as told:
        find(root, "a.cvs")
    assert "'a.csv'" in str(told.value.hint)
    with pytest.raises(NotAllowed):
        find(root, "../elsewhere/private.csv")


def test_a_sibling_with_the_same_beginning_is_outside(root: Path) -> None:
    evil = root.parent / "data_evil"
    evil.mkdir()
    (evil / "x.csv").write_text(CSV)
    with pytest.raises(NotAllowed):
        find(root, str(evil / "x.csv"))


def test_links_inside_a_folder_that_lead_outside_are_no_part_of_it(root: Path) -> None:
    (root.parent / "secret.csv").write_text(CSV)
    (root / "link.csv").symlink_to(root.parent / "secret.csv")
    (root / "loop").symlink_to(root)
    with pytest.raises(NotFound, match="no file that can be loaded"):
        find(root, str(root))
    (root / "a.csv").write_text(CSV)
    assert names(find(root, f"{root}/**/*.csv")) == ["a.csv"]


def test_a_link_within_the_roots_is_followed(root: Path) -> None:
    (root / "real.csv").write_text(CSV)
    (root / "latest.csv").symlink_to(root / "real.csv")
    (found,) = find(root, f"{root}/latest.csv")
    assert (found.path, found.name) == (root / "real.csv", "latest.csv")


def test_pipes_sockets_and_devices_are_refused_without_being_opened(root: Path) -> None:
    os.mkfifo(root / "pipe.csv")
    with pytest.raises(InvalidInput, match="FIFO"):
        find(root, f"{root}/pipe.csv")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "s.csv"))
        with pytest.raises(InvalidInput, match="socket"):
            find(root, f"{root}/s.csv")
    with pytest.raises(InvalidInput, match="device"):
        resolve("/dev/zero", allowed=Allowed((Path("/dev"),)), limits=IngestLimits(), scratch=root / "s")
    (root / "a.csv").write_text(CSV)
    assert names(find(root, str(root))) == ["a.csv"]


def test_a_missing_file_names_its_neighbours(root: Path) -> None:
    (root / "sales.csv").write_text(CSV)
    with pytest.raises(NotFound) as caught:
        find(root, f"{root}/sale.csv")
    assert caught.value.hint == "did you mean 'sales.csv'?"
    with pytest.raises(NotFound) as caught:
        find(root, f"{root}/*.parquet")
    assert "'sales.csv'" in (caught.value.hint or "")


@pytest.mark.parametrize("source", ["", "  ", "a\0b.csv", "a\nb.csv", "x" * 5000, "half\udcff.csv"])
def test_texts_that_are_no_paths_are_refused(root: Path, source: str) -> None:
    with pytest.raises(InvalidInput):
        find(root, source)


@pytest.mark.parametrize("source", ["https://example.org/x.csv", "s3://bucket/x.csv", "ftp://h/x.csv", "file://host/x"])
def test_remote_sources_are_refused(root: Path, source: str) -> None:
    with pytest.raises(InvalidInput, match=r"not supported yet|another machine"):
        find(root, source)


def test_no_source_and_standard_input_are_refused(root: Path) -> None:
    with pytest.raises(InvalidInput):
        find(root, [])
    with pytest.raises(InvalidInput, match="command line"):
        find(root, "-")


def test_an_empty_file_is_refused_alone_and_kept_among_others(root: Path) -> None:
    (root / "e.csv").write_text("")
    with pytest.raises(UnreadableSource, match="0 bytes"):
        find(root, f"{root}/e.csv")
    (root / "a.csv").write_text(CSV)
    assert [(file.name, file.bytes) for file in find(root, str(root))] == [("a.csv", 8), ("e.csv", 0)]


def test_files_without_permission_are_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "a.csv"
    path.write_text(CSV)

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    # The tests may run as a user whom no permission stops.
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnreadableSource, match="may not be read"):
        find(root, str(path))
    monkeypatch.undo()
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UnreadableSource, match="cannot be listed"):
        find(root, str(root))


def test_documents_have_a_size_limit_and_tables_have_none(root: Path) -> None:
    for name in ("a.txt", "a.csv"):
        (root / name).write_text(CSV * 10)
    limits = IngestLimits(document_bytes=50)
    with pytest.raises(LimitExceeded):
        find(root, f"{root}/a.txt", limits)
    assert names(find(root, f"{root}/a.csv", limits)) == ["a.csv"]


def test_the_number_of_files_and_of_entries_is_limited(root: Path) -> None:
    for number in range(25):
        (root / f"{number}.csv").write_text(CSV)
    with pytest.raises(LimitExceeded, match="more than 3 files"):
        find(root, str(root), IngestLimits(files=3))
    with pytest.raises(LimitExceeded, match="more than 20 entries"):
        find(root, str(root), IngestLimits(files=2))


def test_inline_text_becomes_a_file_of_the_format_its_name_or_content_shows(root: Path) -> None:
    for text, name, expected in (
        (CSV, "", "csv"),
        ('[{"a": 1}]', "x", "json"),
        ('{"a": 1}\n{"a": 2}\n', "", "ndjson"),
        ("# Title\n\nwords", "", "markdown"),
        ("just words", "", "text"),
        ("a,b\n1,2", "notes.txt", "text"),
    ):
        (file,) = find(root, InlineText(text, name))
        assert file.format == expected
        assert file.path.read_text() == text
        assert file.name == (name or "inline")
    with pytest.raises(LimitExceeded):
        find(root, InlineText("x" * 100, ""), IngestLimits(inline_bytes=10))
    with pytest.raises(InvalidInput):
        find(root, InlineText(" \n", ""))


def test_standard_input_is_spooled(root: Path) -> None:
    file = spool_stdin(io.BytesIO(CSV.encode()), root / "scratch", "")
    assert (file.format, file.name, file.path.read_text()) == ("csv", "stdin", CSV)
    assert spool_stdin(io.BytesIO(b"x"), root / "scratch", "a.md").format == "markdown"
    with pytest.raises(UnreadableSource):
        spool_stdin(io.BytesIO(b""), root / "scratch", "")


def test_a_fingerprint_is_of_bytes_and_sheet(root: Path) -> None:
    path = root / "a.bin"
    path.write_bytes(b"x" * 5_000_000)
    seen: list[int] = []
    first = fingerprint(SourceFile(path, "a", "csv", 1), cancel=CancelToken(), progress=seen.append)
    assert seen[-1] == 5_000_000
    assert fingerprint(SourceFile(path, "other name", "csv", 1), cancel=CancelToken(), progress=None) == first
    assert fingerprint(SourceFile(path, "a", "excel", 1, "S"), cancel=CancelToken(), progress=None) != first
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        fingerprint(SourceFile(path, "a", "csv", 1), cancel=cancel, progress=None)


def test_a_file_that_became_a_link_or_pipe_is_not_read(root: Path) -> None:
    (root / "real.csv").write_text(CSV)
    (root / "swapped.csv").symlink_to(root / "real.csv")
    with pytest.raises(InvalidInput, match="symbolic link"):
        fingerprint(SourceFile(root / "swapped.csv", "a", "csv", 1), cancel=CancelToken(), progress=None)


def test_a_dataset_is_named_after_its_file_sheet_or_folder(root: Path) -> None:
    from ingest.harness import workbook

    folder = root / "Monthly Sales"
    folder.mkdir()
    (folder / "2024-01 März.csv.gz").write_bytes(b"\x1f\x8b")
    (folder / "b.csv").write_text(CSV)
    (folder / "book.xlsx").write_bytes(workbook({"Q 1": [["a"]]}))
    for source, expected in (
        (f"{folder}/2024-01 März.csv.gz", "t_2024_01_märz"),
        (f"{folder}/book.xlsx#Q 1", "book_q_1"),
        (f"{folder}/book.xlsx", "book"),
        (f"{folder}/*.csv", "b"),
        (f"{folder}/*", "monthly_sales"),
        (str(folder), "monthly_sales"),
        (f"{folder}/", "monthly_sales"),
    ):
        assert dataset_name(find(root, source), source) == expected
    files = find(root, [f"{folder}/b.csv", f"{folder}/book.xlsx"])
    assert dataset_name(files, [str(file.path) for file in files]) == "monthly_sales"


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", ".a.csv", False),
        (".*.csv", ".a.csv", True),
        ("a[b-d].csv", "ac.csv", True),
        ("a[!b].csv", "ab.csv", False),
        ("a[.csv", "a[.csv", True),
        ("**/x.csv", "x.csv", True),
    ],
)
def test_patterns_match_as_in_a_shell(root: Path, pattern: str, name: str, matches: bool) -> None:
    (root / name).write_text(CSV)
    assert bool(list(walk.matching(f"{root}/{pattern}", entries=100))) is matches
