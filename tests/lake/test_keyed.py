"""Upserts and deletions by key as a user meets them: with an overlay beside the data files, or without."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lake.places import Place, folder_place, inline, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput, NotFound, StatementRefused
from mcp_lakehouse.llm.wordllama import WordLlama
from mcp_lakehouse.table import Overlay

TOWNS = "id,name,size\n" + "".join(f"{n},town number {n},{n * 10}\n" for n in range(20))


def overlaying(lake: Lakehouse, **changes: float) -> Lakehouse:
    """The lake, where every upsert that may go into an overlay does."""
    limits = {"overlay_from_rows": 0, "overlay_share": 0.6} | changes
    lake._limits = replace(lake._limits, ingest=replace(lake._limits.ingest, **limits))  # type: ignore[arg-type]
    return lake


def overlay(lake: Lakehouse, name: str) -> Overlay | None:
    return lake.catalog.get(name).snapshot.overlay


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakehouse]:
    with folder_place(tmp_path_factory.mktemp("keyed")).open() as lake:
        yield overlaying(lake)


def load(lake: Lakehouse, name: str, text: str = TOWNS, *, searchable: bool = False) -> None:
    lake.ingest(inline(name, text), key="id", text=["name"] if searchable else None)


def test_small_tables_and_large_loads_are_rewritten(tmp_path: Path) -> None:
    with folder_place(tmp_path).open() as lake:
        load(lake, "towns")
        lake.ingest(inline("towns", "id,name,size\n1,small,1\n"), mode="upsert")
        assert overlay(lake, "towns") is None
        overlaying(lake)
        del lake.__dict__["_loader"]
        lake.ingest(inline("towns", "id,name,size\n" + "".join(f"{n},many,1\n" for n in range(6))), mode="upsert")
        assert overlay(lake, "towns") is None
        lake.ingest(inline("towns", "id,name,size\n9,few,1\n"), mode="upsert")
        assert overlay(lake, "towns") is not None
        # What is too much for an overlay takes it along.
        lake.ingest(inline("towns", "id,name,size\n" + "".join(f"{n},all,1\n" for n in range(7, 20))), mode="upsert")
        assert overlay(lake, "towns") is None
        assert rows(lake, "SELECT name, count(*) FROM towns GROUP BY name ORDER BY name") == [
            ["all", 13],
            ["many", 6],
            ["town number 6", 1],
        ]


def test_new_keys_alone_leave_the_overlay_as_it_is(own: Lakehouse) -> None:
    load(own, "fresh")
    own.ingest(inline("fresh", "id,name,size\n1,one,1\n"), mode="upsert")
    before = overlay(own, "fresh")
    report = own.ingest(inline("fresh", "id,name,size\n100,hundred,1\n"), mode="upsert")
    now = overlay(own, "fresh")
    assert (report.rows_added, report.rows_updated) == (1, 0)
    assert before is not None
    assert now is not None
    assert (now.key, len(now.after)) == (before.key, 1)
    assert rows(own, "SELECT count(*), max(id) FROM fresh") == [[21, 100]]


def test_columns_and_types_grow_with_an_overlay(own: Lakehouse) -> None:
    load(own, "growing")
    own.ingest(inline("growing", "id,name,size,mayor\n1,one,1,Ada\n"), mode="upsert")
    assert overlay(own, "growing") is not None
    own.ingest(inline("growing", "id,name,size,mayor\n100,wide,1.5,Bob\n"))
    assert rows(own, "SELECT size, mayor FROM growing WHERE id IN (1, 2, 100) ORDER BY id") == [
        [1.0, "Ada"],
        [20.0, None],
        [1.5, "Bob"],
    ]
    own.ingest(inline("growing", "id,name,size,mayor\n2,two,2.5,Eve\n"), mode="upsert")
    assert rows(own, "SELECT sum(size), count(mayor) FROM growing") == [[1900 - 10 + 1 - 20 + 2.5 + 1.5, 3]]


def test_keys_of_several_columns_and_columns_named_like_ours(own: Lakehouse) -> None:
    text = "place,file,count,rows\n" + "".join(f"{n % 4},f{n},1,1\n" for n in range(12))
    own.ingest(inline("ours", text), key=["place", "file"])
    own.ingest(inline("ours", "place,file,count,rows\n1,f1,2,2\n1,f2,3,3\n"), mode="upsert")
    assert rows(own, 'FROM ours WHERE "rows" > 1 ORDER BY ALL') == [[1, "f1", 2, 2], [1, "f2", 3, 3]]
    assert own.catalog.get("ours").snapshot.rows == 13
    assert own.ingest(inline("ours", "place,file\n1,f2\n9,f9\n"), mode="delete").rows_deleted == 1
    told = "SELECT {} FROM system.{} WHERE dataset = 'ours' ORDER BY time DESC LIMIT 1"
    assert rows(own, told.format("version, rows_deleted", "versions")) == [[2, 1]]
    assert rows(own, told.format("to_version, rows_deleted", "operations")) == [[2, 1]]
    own.compact("ours")
    assert rows(own, "SELECT count(*) FROM ours") == [[12]]


def test_deleting_needs_a_key_and_a_dataset_and_tells_what_was_not_there(own: Lakehouse) -> None:
    with pytest.raises(NotFound, match="no dataset 'nowhere'"):
        own.ingest(inline("nowhere", "id\n1\n"), mode="delete")
    own.ingest(inline("keyless", TOWNS))
    with pytest.raises(InvalidInput, match="needs a key"):
        own.ingest(inline("keyless", "id\n1\n"), mode="delete")
    with pytest.raises(InvalidInput, match="key names 'nope'"):
        own.ingest(inline("keyless", "id,nope\n1,1\n"), mode="delete", key=["nope"])
    report = own.ingest(inline("keyless", "id,nope\n1,1\n50,1\n"), mode="delete", key=["id"])
    assert (report.rows_deleted, report.rows_added, report.version) == (1, 0, 1)
    assert report.notes == ["1 keys of the source have no row in the dataset"]
    # A table without a key of its own has no overlay, gets no key, and no column of the source.
    assert overlay(own, "keyless") is None
    described = own.describe_dataset("keyless")
    assert (described.key, len(described.columns), described.rows) == (None, 3, 19)
    assert [entry.source for entry in described.lineage] == ["keyless.csv"]
    again = own.ingest(inline("keyless", "id\n50\n"), mode="delete", key=["id"])
    assert (again.rows_deleted, again.unchanged, again.version) == (0, True, 1)


def test_a_key_of_another_type_deletes_what_equals_it(own: Lakehouse) -> None:
    load(own, "typed")
    assert own.ingest(inline("halves", "id\n2.0\n3.5\n"), dataset="typed", mode="delete").rows_deleted == 1
    assert rows(own, "SELECT count(*), count(*) FILTER (id = 2), typeof(any_value(id)) FROM typed") == [
        [19, 0, "BIGINT"]
    ]


def test_documents_are_deleted_by_their_source(own: Lakehouse) -> None:
    source = {"name": "rules.md", "text": "# Rules\n\nWear a helmet."}
    own.ingest(source, dataset="rules")
    own.ingest({"name": "other.md", "text": "# Others\n\nWear gloves."}, dataset="rules")
    assert (
        own.ingest(inline("gone", "source\nrules.md\n"), dataset="rules", mode="delete", key=["source"]).rows_deleted
        == 1
    )
    assert [hit.text for hit in own.search("wear", ["rules"]).results] == ["# Others\n\nWear gloves."]


def test_dropping_keeps_the_overlay_for_who_brings_the_dataset_back(own: Lakehouse) -> None:
    load(own, "dropped")
    own.ingest(inline("dropped", "id,name,size\n1,one,1\n"), mode="upsert")
    own.drop_dataset("dropped", "dropped")
    own.restore_dataset("dropped")
    assert rows(own, "SELECT name FROM dropped WHERE id = 1") == [["one"]]
    own.drop_dataset("dropped", "dropped")
    load(own, "dropped", "id,name,size\n5,anew,1\n")
    assert (overlay(own, "dropped"), rows(own, "FROM dropped")) == (None, [[5, "anew", 1]])


def test_a_citation_stands_for_its_text_after_overlay_fold_and_deletion(own: Lakehouse) -> None:
    load(own, "cited", searchable=True)
    before = own.search("number 3", ["cited"], k=1).results[0]
    own.ingest(inline("cited", "id,name,size\n3,quite another place,1\n"), mode="upsert")
    laid = own.search("quite another place", ["cited"], k=1).results[0]
    assert laid.text == "quite another place"
    own.ingest(inline("cited", "id\n3\n4\n"), mode="delete")
    own.compact("cited")
    assert own.fetch(before.id).text == "town number 3"
    assert own.fetch(laid.id).text == "quite another place"
    assert "another" not in "".join(hit.text for hit in own.search("quite another place", ["cited"], k=20).results)
    # Rows that are in the files of a version and not in the version.
    for version in (1, 2):
        with pytest.raises(InvalidInput, match="no row 3"):
            own.fetch(f"lakehouse://datasets/cited/v{version}/rows/3")


def test_a_text_that_stays_is_not_embedded_again(own: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    load(own, "held", searchable=True)
    embed, embedded = WordLlama.embed, []

    def note(model: WordLlama, texts: list[str], **more: object) -> object:
        embedded.extend(texts)
        return embed(model, texts, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(WordLlama, "embed", note)
    own.ingest(inline("held", "id,name,size\n3,town number 3,999\n4,new here,1\n"), mode="upsert")
    assert embedded == ["new here"]
    own.compact("held")
    own.search("nothing new", ["held"], mode="keyword")
    assert embedded == ["new here"]


def test_a_large_overlay_is_folded_in_the_background(tmp_path: Path) -> None:
    with folder_place(tmp_path).open() as lake:
        overlaying(lake, overlay_fold_rows=2)
        load(lake, "folded", searchable=True)
        for n in range(3):
            lake.ingest(inline("folded", f"id,name,size\n{n},changed {n},1\n"), mode="upsert")
        lake._compaction.wait()
        found = lake.catalog.get("folded")
        assert (found.snapshot.overlay, found.snapshot.version, found.snapshot.rows) == (None, 4, 20)
        assert rows(lake, "SELECT change FROM changes('folded', 3, 4)") == []
        assert rows(lake, "SELECT count(*) FROM folded WHERE starts_with(name, 'changed')") == [[3]]
        assert len(lake.search("changed", ["folded"], mode="keyword", k=50).results) == 3
        assert rows(lake, "SELECT count(*) FROM system.errors") == [[0]]


def test_a_fold_that_another_writer_overtakes_changes_nothing(own: Lakehouse) -> None:
    load(own, "overtaken")
    own.ingest(inline("overtaken", "id,name,size\n1,one,1\n"), mode="upsert")
    found = own.catalog.get("overtaken")
    own.ingest(inline("overtaken", "id,name,size\n2,two,1\n"), mode="upsert")
    own._compaction._folding["overtaken"] = threading.current_thread()
    own._compaction._fold(found, {"operation": "compact", "who": "test"})
    assert own.catalog.get("overtaken").snapshot.version == 2
    # Rows that were added meanwhile are no hindrance.
    newest = own.catalog.get("overtaken")
    own.ingest(inline("overtaken", "id,name,size\n2,a second two,1\n"))
    own._compaction.fold(newest, {"operation": "compact"}, CancelToken())
    assert overlay(own, "overtaken") is None
    assert rows(own, "SELECT name FROM overtaken WHERE id < 3 ORDER BY ALL") == [
        ["a second two"],
        ["one"],
        ["town number 0"],
        ["two"],
    ]


def test_two_writers_of_one_overlay_lose_nothing(place: Place) -> None:
    with place.open() as first, place.open() as second:
        load(overlaying(first), "shared")
        first.ingest(inline("shared", "id,name,size\n0,begun,1\n"), mode="upsert")

        def write(lake: Lakehouse, writer: int) -> None:
            for n in range(3):
                text = f"id,name,size\n{writer * 3 + n + 1},by {writer},1\n19,last {writer} {n},1\n{100 + writer * 3 + n},new,1\n"
                report = lake.ingest(inline("shared", text), mode="upsert")
                assert (report.rows_added, report.rows_updated) == (1, 2)

        threads = [threading.Thread(target=write, args=each) for each in ((first, 0), (overlaying(second), 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for lake in (first, second):
            assert lake.catalog.get("shared").snapshot.version == 7
            assert overlay(lake, "shared") is not None
            counted = "SELECT count(*), count(DISTINCT id), count(*) FILTER (starts_with(name, 'by ')), count(*) FILTER (starts_with(name, 'last')) FROM shared"
            assert rows(lake, counted) == [[26, 26, 6, 1]]
        told = "SELECT change, count(*) FROM changes('shared', 0) GROUP BY change ORDER BY change"
        assert rows(first, told) == [["insert", 6], ["update_after", 8], ["update_before", 8]]


# Changes ----------------------------------------------------------------------------------------


def test_changes_of_a_dataset_without_a_key_are_rows_that_went_and_came(own: Lakehouse) -> None:
    own.ingest(inline("plain", "a,b\n1,x\n1,x\n2,y\n"))
    own.ingest(inline("plain", "a,b\n1,x\n3,z\n"), mode="replace")
    assert rows(own, "SELECT change, a, b, from_version, to_version FROM changes('plain', 0, 1) ORDER BY ALL") == [
        ["delete", 1, "x", 0, 1],
        ["delete", 2, "y", 0, 1],
        ["insert", 3, "z", 0, 1],
    ]
    assert rows(own, "FROM changes('plain', 1, 1)") == []
    assert rows(own, "FROM changes('PLAIN', 0) AS c WHERE c.b = 'z'") == [["insert", 0, 1, 3, "z"]]


def test_changes_over_other_columns_and_names_that_are_taken(own: Lakehouse) -> None:
    own.ingest(inline("taken", "id,change,note\n1,old,x\n2,same,x\n"), key="id")
    own.ingest(inline("taken", "id,change,to_version\n1,new,7\n2,same,8\n"), mode="replace", key="id")
    found = own.sql("FROM changes('taken', 0, 1) ORDER BY ALL")
    assert [column.name for column in found.columns] == [
        "_change",
        "from_version",
        "_to_version",
        "id",
        "change",
        "to_version",
    ]
    assert [row[0] for row in found.rows] == ["update_after"] * 2 + ["update_before"] * 2


@pytest.mark.parametrize(
    ("statement", "error", "said"),
    [
        ("FROM changes('known', 1, 0)", InvalidInput, "goes backwards"),
        ("FROM changes('known', 0, 9)", NotFound, "has no version 9"),
        ("FROM changes('unknown', 0, 1)", NotFound, "no dataset 'unknown'"),
        ("FROM changes('known')", StatementRefused, "two versions"),
        ("FROM changes('known', 0, 1, 2)", StatementRefused, "two versions"),
        ("FROM changes('known', 0, -1)", StatementRefused, "two versions"),
        ("FROM changes('known', 0, (SELECT 1))", StatementRefused, "two versions"),
        (f"FROM changes('known', {'9' * 30}, 1)", StatementRefused, "two versions"),
        ("FROM changes(NULL, 0, 1)", StatementRefused, "two versions"),
        ("FROM main.changes('known', 0, 1)", StatementRefused, "not available"),
        ("SELECT changes('known', 0, 1)", StatementRefused, "not available"),
        ("FROM changes('x\" UNION FROM read_csv(''/etc/passwd'') --', 0, 1)", NotFound, "no dataset"),
        ("PIVOT (FROM changes('known', 0, 1)) ON change USING count(*)", StatementRefused, "old versions"),
    ],
)
def test_changes_are_asked_for_by_constants(own: Lakehouse, statement: str, error: type[Exception], said: str) -> None:
    if own.catalog.find("known") is None:
        load(own, "known")
        own.ingest(inline("known", "id,name,size\n1,one,1\n"), mode="upsert")
    with pytest.raises(error, match=said):
        own.sql(statement)


def test_changes_can_be_joined_and_explained(own: Lakehouse) -> None:
    load(own, "joined")
    own.ingest(inline("joined", "id,name,size\n1,one,1\n"), mode="upsert")
    statement = "SELECT o.name, n.name FROM changes('joined', 0, 1) o JOIN changes('joined', 0, 1) n USING (id) WHERE o.change = 'update_before' AND n.change = 'update_after'"
    assert rows(own, statement) == [["town number 1", "one"]]
    assert rows(own, f"WITH joined AS (SELECT 1) {statement}") == [["town number 1", "one"]]
    assert rows(own, f"EXPLAIN {statement}")
