"""Searching a dataset as it was in an older version."""

from __future__ import annotations

import pytest

from lake.places import Place, inline
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import InvalidInput, NotFound

NOTES = "id,kind,note\n1,a,the red fox sleeps\n2,b,the blue whale sings\n3,a,an owl waits\n"


@pytest.fixture
def lake(place: Place) -> Lakehouse:
    """`notes` in four versions: three animals, one of them changed, one deleted, all replaced."""
    lake = place.open()
    lake.ingest(inline("notes", NOTES), key="id", text="note")
    lake.ingest(inline("notes", "id,kind,note\n1,a,a green frog jumps\n"), mode="upsert")
    lake.ingest(inline("notes", "id,kind,note\n4,c,a heron stands\n"), mode="append")
    lake.ingest(inline("notes", "id,kind,note\n9,z,nothing but a stone\n"), mode="replace")
    return lake


def texts(lake: Lakehouse, query: str, dataset: str, **more: object) -> list[str]:
    return [hit.text for hit in lake.search(query, dataset, **more).results]  # type: ignore[arg-type]  # as search takes


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_each_version_is_searched_as_it_was(lake: Lakehouse, mode: str) -> None:
    with lake:
        assert texts(lake, "red fox", "notes@0", mode=mode)[0] == "the red fox sleeps"
        assert "the red fox sleeps" not in texts(lake, "red fox", "notes@1", mode=mode)
        assert texts(lake, "green frog", "notes@1", mode=mode)[0] == "a green frog jumps"
        assert texts(lake, "heron", "notes@2", mode=mode)[0] == "a heron stands"
        assert texts(lake, "stone", "notes", mode=mode) == ["nothing but a stone"]
        assert texts(lake, "stone", "notes@3", mode=mode) == ["nothing but a stone"]


def test_a_hit_of_an_older_version_is_cited_there_and_opens(lake: Lakehouse) -> None:
    with lake:
        found = lake.search("red fox", ["notes@0", "notes"], k=4)
        assert found.generations.keys() == found.plan.keys() == {"notes@0", "notes"}
        assert found.generations["notes@0"] == 0
        hit = found.results[0]
        assert (hit.dataset, hit.text, hit.columns["id"]) == ("notes", "the red fox sleeps", 1)
        assert hit.id.startswith("lakehouse://datasets/notes/v0/")
        assert lake.fetch(hit.id).text == hit.text


def test_more_versions_than_are_kept_are_searched_together(lake: Lakehouse) -> None:
    with lake:
        found = lake.search("fox frog heron owl", ["notes@0", "notes@1", "notes@2"], mode="keyword", k=20)
        assert [sum(f"/v{version}/" in hit.id for hit in found.results) for version in range(3)] == [2, 2, 3]
        assert len(list(lake._scratch.glob("past-*"))) == 2


def test_a_filter_holds_for_the_rows_of_that_version(lake: Lakehouse) -> None:
    with lake:
        assert set(texts(lake, "animals", "notes@0", where="kind = 'a'")) == {"the red fox sleeps", "an owl waits"}
        assert texts(lake, "animals", "notes@2", where="id > 3") == ["a heron stands"]
        assert texts(lake, "animals", "notes@0", where="id > 3") == []


def test_overlays_count_in_the_version_they_are_in(prepared: Place) -> None:
    rows = "".join(f"{number},note number {number}\n" for number in range(2_000))
    with prepared.open() as lake:
        lake.ingest(inline("many", f"id,note\n{rows}"), key="id", text="note")
        lake.ingest(inline("many", "id,note\n7,an otter\n"), mode="upsert")
        assert texts(lake, "note number 7", "many@0", k=1, mode="keyword") == ["note number 7"]
        assert texts(lake, "otter", "many@1", k=1) == ["an otter"]
        assert "an otter" not in texts(lake, "otter", "many@0")
        assert "note number 7" not in texts(lake, "note number 7", "many@1", k=20, mode="keyword")


def test_what_names_no_version_is_told(lake: Lakehouse) -> None:
    with lake:
        for wrong in ("notes@", "notes@x", "notes@-1", "notes@1.5", "notes@" + "9" * 30):
            with pytest.raises(InvalidInput, match="names no version"):
                lake.search("fox", wrong)
        with pytest.raises(NotFound, match="no version 99"):
            lake.search("fox", "notes@99")
        with pytest.raises(NotFound, match="no dataset"):
            lake.search("fox", "nobody@1")


def test_what_was_forgotten_is_in_no_version_that_can_be_searched(lake: Lakehouse) -> None:
    with lake:
        assert texts(lake, "red fox", "notes@0")[0] == "the red fox sleeps"
        lake.forget("notes", "note LIKE '%fox%'", confirm="notes")
        with pytest.raises(NotFound, match="forgotten"):
            lake.search("red fox", "notes@0")
