"""Search by words alone, where the model that an index was made with is missing or another one."""

from __future__ import annotations

import pytest

from lake.places import Place
from lake.searching import ANIMALS, Counting, fill, keys, use
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import InvalidInput, LakehouseError


@pytest.fixture
def animals(prepared: Place) -> Place:
    """A lake whose dataset `animals` is indexed with wordllama."""
    with prepared.open() as lake:
        fill(lake, "animals")
    return prepared


def opened(place: Place, monkeypatch: pytest.MonkeyPatch, embedder: str) -> Lakehouse:
    """The lake with another embedder set."""
    monkeypatch.setenv("LAKEHOUSE_EMBEDDER", embedder)
    return place.open()


@pytest.mark.parametrize("embedder", ["openai:gone@http://127.0.0.1:9/v1", "nonsense"])
def test_words_find_what_is_indexed_without_the_model_it_was_indexed_with(
    animals: Place, monkeypatch: pytest.MonkeyPatch, embedder: str
) -> None:
    with opened(animals, monkeypatch, embedder) as lake:
        found = lake.search("octopus gap", datasets="animals", mode="keyword", where="number > 1")
        assert found.results[0].columns["key"] == "a4"
        assert found.generations == {"animals": 1}
        assert lake.fetch(found.results[0].id).text == ANIMALS["a4"]
        for mode in ("hybrid", "vector"):
            with pytest.raises(InvalidInput):
                lake.search("octopus gap", datasets="animals", mode=mode)
        assert keys(lake, "octopus gap", "animals", mode="keyword", k=1) == ["a4"]


def test_a_model_that_became_another_one_does_not_stop_words(animals: Place) -> None:
    with animals.open() as lake:
        use(lake, Counting(model="wordllama-next"))
        assert keys(lake, "octopus gap", "animals", mode="keyword", k=1) == ["a4"]
        with pytest.raises(InvalidInput, match=r"was indexed with wordllama-256.* \(256 dimensions\)") as caught:
            keys(lake, "octopus gap", "animals")
        assert "mode='keyword' searches without a model" in str(caught.value)
        # With its own model back, it is as before.
        use(lake, Counting())
        assert keys(lake, "octopus gap", "animals", mode="vector", k=1) == ["a4"]


def test_rows_that_came_without_the_model_are_found_by_words_and_told(
    animals: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(animals, monkeypatch, "nonsense") as lake:
        report = lake.ingest(
            {"name": "n.jsonl", "text": '{"key": "n1", "note": "The pangolin rolls itself into a ball.", "number": 9}'},
            dataset="animals",
        )
        assert any("not searchable yet: " in note for note in report.notes)
        assert keys(lake, "pangolin ball", "animals", mode="keyword", k=1) == ["n1"]
        assert keys(lake, "octopus gap", "animals", mode="keyword", k=1) == ["a4"]
    monkeypatch.setenv("LAKEHOUSE_EMBEDDER", "wordllama")
    with animals.open() as lake:
        assert keys(lake, "pangolin ball", "animals", mode="vector", k=1) == ["n1"]


def test_a_dataset_that_was_never_indexed_is_searched_by_words(
    prepared: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(prepared, monkeypatch, "nonsense") as lake:
        fill(lake, "animals")
        found = lake.search("octopus gap", datasets="animals", mode="keyword", k=1)
        assert (found.results[0].columns["key"], found.generations) == ("a4", {"animals": 0})
        with pytest.raises(LakehouseError, match="no embedder 'nonsense'"):
            keys(lake, "octopus gap", "animals")
