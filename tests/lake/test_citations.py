"""What an address of a passage opens when its dataset was dropped, replaced, or the address was shortened."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lake.places import Place
from lake.searching import ANIMALS, fill
from mcp_lakehouse.errors import InvalidInput, NotFound


@pytest.fixture
def notes(prepared: Place) -> Place:
    """A lake with the searchable dataset `notes`."""
    with prepared.open() as lake:
        fill(lake, "notes")
    return prepared


def test_a_citation_outlives_a_new_dataset_of_the_same_name(notes: Place) -> None:
    with notes.open() as lake:
        cited = lake.search("otter", datasets="notes", k=1).results[0]
        lake.drop_dataset("notes", "notes")
        with pytest.raises(NotFound, match="was dropped") as caught:
            lake.fetch(cited.id)
        assert "restore_dataset(dataset='notes')" in str(caught.value.hint)
        lake.ingest({"name": "x.csv", "text": "who,what\n1,A wholly other text.\n"}, dataset="notes", text=["what"])
        # The new dataset goes on where the old one ended, so no address means two things.
        new = lake.search("other text", datasets="notes", k=1).results[0]
        assert "/v2/" in new.id
        assert lake.fetch(cited.id).text == cited.text == ANIMALS["a1"]
        assert lake.fetch(cited.id.partition("#")[0]).text == ANIMALS["a1"]
        assert lake.fetch(new.id).text == "A wholly other text."


def test_a_citation_of_a_table_that_something_else_replaced_is_refused(notes: Place) -> None:
    with notes.open() as lake:
        cited = lake.search("otter", datasets="notes", k=1).results[0].id
    for part in ("tables", "index", "_cache/index"):
        shutil.rmtree(Path(notes.address) / part / "notes")
    with notes.open() as lake:
        with pytest.raises(NotFound, match="no dataset 'notes'"):
            lake.fetch(cited)
        fill(
            lake,
            "notes",
            {"b1": "Another text, which is just as long as the one that was here before it was replaced."},
        )
        with pytest.raises(InvalidInput, match="not what was cited"):
            lake.fetch(cited)
        assert "not proven" in str(lake.fetch(cited.partition("#")[0]).metadata["unchecked"])


def test_an_id_without_its_hash_says_that_it_was_not_checked(notes: Place) -> None:
    with notes.open() as lake:
        cited = lake.search("otter", datasets="notes", k=1).results[0].id
        assert "unchecked" not in lake.fetch(cited).metadata
        assert "no hash" in str(lake.fetch(cited.partition("&hash")[0]).metadata["unchecked"])
        with pytest.raises(InvalidInput, match="cut or changed"):
            lake.fetch(cited[:-4])
