"""Documents that changed: an upsert puts each source's new text in the place of its old one, and nothing else goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from lake.places import Place, folder_place, inline, put, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import InvalidInput

SECTIONS = ("Pay", "Leave", "Safety", "Travel", "Training", "Conduct", "Records", "Notice")


def handbook(word: str, sections: int = len(SECTIONS)) -> str:
    """A Markdown file of some sections, each with a sentence that holds the word."""
    return "\n".join(f"# {name}\nThe rule on {name.lower()} is {word}.\n" for name in SECTIONS[:sections])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Shared by the tests of this module, which name their datasets after themselves."""
    return folder_place(tmp_path_factory.mktemp("documents"))


@pytest.fixture(scope="module")
def lake(place: Place) -> Iterator[Lakehouse]:
    with place.open() as opened:
        yield opened


@pytest.fixture
def rules(place: Place, lake: Lakehouse) -> Path:
    """A folder that was loaded as a dataset of its name: three files of two sections."""
    folder = place.files / f"rules_{uuid4().hex[:8]}"
    for name in ("a", "b", "c"):
        place.put(f"{folder.name}/{name}.md", handbook(f"old {name}", 2))
    lake.ingest(folder)
    return folder


def sources(lake: Lakehouse, dataset: str) -> dict[object, object]:
    """How many rows each source has."""
    counted = rows(lake, f"SELECT source, count(*) FROM {dataset} GROUP BY ALL")
    return {row[0]: row[1] for row in counted}


@pytest.mark.parametrize("key", [None, ["source"], ["SOURCE"]])
def test_an_upsert_of_a_document_replaces_all_its_sections(lake: Lakehouse, key: list[str] | None) -> None:
    lake.ingest(put(lake, "handbook.md", handbook("old")), mode="replace")
    before = lake.describe_dataset("handbook").version
    report = lake.ingest(put(lake, "handbook.md", handbook("new")), mode="upsert", key=key)
    assert (report.rows_added, report.rows_updated, report.version) == (0, 8, before + 1)
    texts = [str(text) for (text,) in rows(lake, "SELECT text FROM handbook")]
    assert len(texts) == 8
    assert all("is new." in text for text in texts)
    assert lake.describe_dataset("handbook").key is None
    assert "new" in lake.search("rule on travel", datasets="handbook", k=1).results[0].text


def test_an_upsert_leaves_the_other_documents_as_they_are(lake: Lakehouse, rules: Path) -> None:
    (rules / "b.md").write_text(handbook("new b", 3))
    (rules / "d.md").write_text(handbook("new d", 1))
    report = lake.ingest([str(rules / "b.md"), str(rules / "d.md")], rules.name, mode="upsert")
    assert (report.rows_added, report.rows_updated) == (2, 2)
    assert sources(lake, rules.name) == {"a.md": 2, "b.md": 3, "c.md": 2, "d.md": 1}
    assert rows(lake, f"SELECT DISTINCT source FROM {rules.name} WHERE text LIKE '%old b%'") == []


def test_an_upsert_of_a_shorter_document_says_what_went(lake: Lakehouse) -> None:
    lake.ingest(put(lake, "short.md", handbook("old")))
    report = lake.ingest(put(lake, "short.md", handbook("new", 3)), mode="upsert")
    assert (report.rows_added, report.rows_updated) == (0, 3)
    assert any("5 rows" in note for note in report.notes)
    assert sources(lake, "short") == {"short.md": 3}


def test_a_key_that_an_earlier_load_left_is_forgotten(lake: Lakehouse) -> None:
    lake.ingest(put(lake, "keyed_rules.md", handbook("old")), key=["source"])
    lake.ingest(put(lake, "keyed_rules.md", handbook("new")), mode="upsert")
    assert sources(lake, "keyed_rules") == {"keyed_rules.md": 8}
    assert lake.describe_dataset("keyed_rules").key is None


def test_a_first_load_may_be_an_upsert(lake: Lakehouse) -> None:
    report = lake.ingest(put(lake, "first.md", handbook("new")), mode="upsert")
    assert (report.rows_added, report.rows_updated, report.version) == (8, 0, 0)
    again = lake.ingest(put(lake, "first.md", handbook("new")), mode="upsert")
    assert again.unchanged
    assert lake.ingest(put(lake, "first.md", handbook("new"))).unchanged


def test_what_an_upsert_brought_is_not_appended_once_more(lake: Lakehouse, rules: Path) -> None:
    (rules / "b.md").write_text(handbook("new b", 2))
    lake.ingest(rules, mode="upsert")
    again = lake.ingest(rules)
    assert again.unchanged
    assert sources(lake, rules.name) == {"a.md": 2, "b.md": 2, "c.md": 2}


def test_a_document_that_went_back_is_told_how_to_go_back_in_the_lake(lake: Lakehouse, rules: Path) -> None:
    old = (rules / "b.md").read_text()
    (rules / "b.md").write_text(handbook("new b", 2))
    lake.ingest(rules, mode="upsert")
    (rules / "b.md").write_text(old)
    assert any("mode='upsert'" in note for note in lake.ingest(rules).notes)
    lake.ingest(rules, mode="upsert")
    assert rows(lake, f"SELECT count(*) FROM {rules.name} WHERE text LIKE '%old b%'") == [[2]]


def test_two_documents_that_became_the_same_keep_their_own_rows(lake: Lakehouse, rules: Path) -> None:
    (rules / "b.md").write_text((rules / "a.md").read_text())
    lake.ingest(rules, mode="upsert")
    assert sources(lake, rules.name) == {"a.md": 2, "b.md": 2, "c.md": 2}
    assert rows(lake, f"SELECT count(*) FROM {rules.name} WHERE text LIKE '%old b%'") == [[0]]


def test_another_key_under_which_text_would_be_lost_is_refused(lake: Lakehouse) -> None:
    text = "# Pay\nOne.\n\n# Pay\nTwo.\n"
    lake.ingest(put(lake, "twice.md", text))
    with pytest.raises(InvalidInput, match="text would be lost") as caught:
        lake.ingest(put(lake, "twice.md", text + "\nThree.\n"), mode="upsert", key=["source", "section"])
    assert "leave key out" in str(caught.value.hint)
    assert sources(lake, "twice") == {"twice.md": 2}


def test_a_table_is_not_upserted_into_documents(lake: Lakehouse, rules: Path) -> None:
    with pytest.raises(InvalidInput, match="holds documents, the source is table"):
        lake.ingest(inline("x", "source,text\na.md,x\n"), rules.name, mode="upsert", key=["source"])
    assert sources(lake, rules.name) == {"a.md": 2, "b.md": 2, "c.md": 2}


def test_a_file_that_the_dataset_knows_by_its_folder_is_told(place: Place, lake: Lakehouse) -> None:
    path = place.put("manual/deep/pay.md", handbook("old", 2))
    place.put("manual/leave.md", handbook("old leave", 1))
    lake.ingest(place.files / "manual")
    path.write_text(handbook("new", 2))
    report = lake.ingest(path, "manual", mode="upsert")
    assert any("deep/pay.md" in note for note in report.notes)


def test_appending_a_folder_names_the_documents_that_changed(lake: Lakehouse, rules: Path) -> None:
    (rules / "b.md").write_text(handbook("new b", 2))
    (rules / "d.md").write_text(handbook("new d", 2))
    (note,) = lake.ingest(rules).notes
    assert note.startswith("b.md was loaded before with other content")
    assert "mode='upsert' replaces it" in note
    assert "key" not in note
    assert "d.md" not in note
    glob = rules / "*.md"
    (rules / "b.md").write_text(handbook("newer b", 2))
    (note,) = lake.ingest(str(glob), rules.name).notes
    assert note.startswith("b.md was loaded before")
    lake.ingest(rules, mode="upsert")
    assert sources(lake, rules.name) == {"a.md": 2, "b.md": 2, "c.md": 2, "d.md": 2}


def test_the_note_names_a_few_of_many_changed_documents(place: Place, lake: Lakehouse) -> None:
    for number in range(40):
        place.put(f"many/{number:02}.txt", f"The old text {number}.")
    lake.ingest(place.files / "many")
    for number in range(40):
        place.put(f"many/{number:02}.txt", f"The new text {number}.")
    (note,) = lake.ingest(place.files / "many").notes
    assert "00.txt, 01.txt, 02.txt and 37 more were loaded before" in note
    assert "mode='upsert' replaces it" in note


def test_a_changed_table_is_told_that_an_upsert_needs_a_key(lake: Lakehouse) -> None:
    lake.ingest(put(lake, "plain.csv", "a,b\n1,x\n"))
    (note,) = lake.ingest(put(lake, "plain.csv", "a,b\n1,y\n")).notes
    assert "with a key" in note
