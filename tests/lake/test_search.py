"""Search through the façade, in a folder and in object storage."""

from __future__ import annotations

import json

import pytest

from lake.places import rows
from lake.searching import ANIMALS, fill, keys
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import InvalidInput, NotFound, StatementFailed, StatementRefused


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_words_of_a_text_find_it(lake: Lakehouse, animals: str, mode: str) -> None:
    found = lake.search("octopus colour", datasets=animals, mode=mode, k=3)
    assert found.results[0].columns["key"] == "a4"
    assert found.mode == mode
    scores = [hit.score for hit in found.results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_meaning_finds_what_shares_no_word(lake: Lakehouse, animals: str) -> None:
    assert "a6" in keys(lake, "fastest runner speed", animals, mode="vector", k=2)
    assert keys(lake, "fastest runner speed", animals, mode="keyword") == []


def test_a_hit_says_where_it_is_from(lake: Lakehouse, animals: str) -> None:
    found = lake.search("beaver dams", datasets=[animals], k=1)
    (hit,) = found.results
    assert hit.text == ANIMALS["a2"]
    assert hit.dataset == animals
    assert hit.columns == {"key": "a2", "number": 1}
    assert hit.id == hit.url
    assert found.generations == {animals: 1}
    passage = lake.fetch(hit.id)
    assert passage.text == hit.text
    assert passage.metadata["source"] == "notes.jsonl"
    assert passage.metadata["row"] == 1


def test_asked_columns_come_whole(lake: Lakehouse, animals: str) -> None:
    (hit,) = lake.search("beaver", datasets=animals, k=1, columns=["NUMBER", "note"]).results
    assert hit.columns == {"number": 1, "note": ANIMALS["a2"]}
    with pytest.raises(InvalidInput, match="no column 'colour'"):
        lake.search("beaver", datasets=animals, columns=["colour"])


def test_a_filter_holds_for_every_hit(lake: Lakehouse, animals: str) -> None:
    found = lake.search("water", datasets=animals, where="number % 2 = 0 AND key <> 'a1'", k=10)
    assert {hit.columns["key"] for hit in found.results} <= {"a3", "a5"}
    assert "2 of 6 rows match the filter" in found.plan[animals]
    assert keys(lake, "water", animals, where="number > 99") == []
    assert keys(lake, "beaver", animals, where="  ", k=1) == ["a2"]


def test_a_filter_may_use_other_datasets(lake: Lakehouse, animals: str) -> None:
    lake.ingest({"name": "wanted_animals.csv", "text": "key\na5\n"})
    assert keys(lake, "water", animals, where="key IN (SELECT key FROM wanted_animals)") == ["a5"]


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("colour = 1", StatementFailed),
        ("number = ", StatementFailed),
        ("1 = 1) UNION SELECT (1", StatementRefused),
        ("1) FROM (SELECT 1", StatementRefused),
        ("number, key", StatementRefused),
        ("number = 1; DROP TABLE animals", StatementFailed),
        ("read_text('/etc/passwd') IS NOT NULL", StatementRefused),
        ("key IN (SELECT key FROM nowhere)", NotFound),
        ("true ORDER BY 1", StatementFailed),
        ("number = $1", StatementFailed),
        ("\0", InvalidInput),
    ],
)
def test_a_filter_that_is_no_condition_is_refused(
    lake: Lakehouse, animals: str, where: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        lake.search("water", datasets=animals, where=where)
    assert "SELECT" not in str(caught.value).replace(where, "")


def test_a_comment_in_a_filter_ends_with_it(lake: Lakehouse, animals: str) -> None:
    assert keys(lake, "water", animals, where="key = 'a1' -- only this one") == ["a1"]


@pytest.mark.parametrize("k", [0, -1, 10**9])
def test_k_has_limits(lake: Lakehouse, animals: str, k: int) -> None:
    with pytest.raises(InvalidInput, match=f"k is {k}; it must be 1 to 1,000") as caught:
        lake.search("water", datasets=animals, k=k)
    assert str(caught.value.hint).startswith("give k from 1 to 1,000")
    assert ("where" in str(caught.value.hint)) == (k > 1)


@pytest.mark.parametrize("query", ["", "   ", "\0\1\2", "x" * 10_001])
def test_a_query_has_words_and_an_end(lake: Lakehouse, animals: str, query: str) -> None:
    with pytest.raises(InvalidInput):
        lake.search(query, datasets=animals)


@pytest.mark.parametrize("query", ['"otter', "otter AND (", "otter:~5^", "-otter", "otter\0stone", "*", "水獺 otter"])
def test_any_text_is_a_query(lake: Lakehouse, animals: str, query: str) -> None:
    found = lake.search(query, datasets=animals, k=1).results
    assert "otter" not in query or found[0].columns["key"] == "a1"


@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_marks_without_a_word_find_nothing(lake: Lakehouse, animals: str, mode: str) -> None:
    found = lake.search('?!... --- "" ((', animals, mode=mode)
    assert (found.results, found.plan[animals]) == ([], "nothing to compare")


def test_an_unknown_mode_names_the_known_ones(lake: Lakehouse, animals: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        lake.search("water", datasets=animals, mode="semantic")
    assert "hybrid, vector, keyword" in str(caught.value)


def test_a_dataset_without_text_says_how_to_make_it_searchable(lake: Lakehouse) -> None:
    lake.ingest({"name": "plain.csv", "text": "a,b\n1,hello\n"})
    with pytest.raises(InvalidInput, match="no text columns") as caught:
        lake.search("hello", datasets="plain")
    assert "build_index" in str(caught.value)
    report = lake.build_index("plain", columns=["b"])
    assert (report.published, report.rows) == (True, 1)
    assert [hit.text for hit in lake.search("hello", datasets="plain").results] == ["hello"]


def test_several_datasets_are_ranked_together(lake: Lakehouse, animals: str) -> None:
    fill(lake, "machines", {"m1": "The forklift lifts pallets.", "m2": "A loom weaves cloth from thread."})
    found = lake.search("weaving cloth on a loom", datasets=[animals, "machines"], k=4)
    assert found.results[0].columns["key"] == "m2"
    assert set(found.generations) == {animals, "machines"}


def test_asked_columns_may_be_of_some_datasets(lake: Lakehouse, animals: str) -> None:
    lake.ingest({"name": "stories.jsonl", "text": json.dumps({"tale": "The octopus and the king"})}, text=["tale"])
    found = lake.search("octopus", k=50, columns=["key"]).results
    assert {frozenset(hit.columns) for hit in found if hit.dataset in (animals, "stories")} == {
        frozenset({"key"}),
        frozenset(),
    }
    with pytest.raises(InvalidInput, match="no column 'nowhere'"):
        lake.search("octopus", columns=["nowhere"])


def test_a_column_that_is_mostly_empty_is_told(lake: Lakehouse) -> None:
    report = lake.ingest({"name": "sparse.csv", "text": "a,b\n1,hello\n2,\n3,\n"}, text=["b"])
    assert "2 of 3 rows have no text in b" in report.notes


def test_a_rare_name_counts_as_rare_in_a_small_dataset_too(lake: Lakehouse) -> None:
    fill(lake, "codes", {"c1": "The code E42 means that credentials were rejected."})
    fill(lake, "shops", {f"s{n}": f"Shop {n} is an e shop with e mail." for n in range(200)})
    found = lake.search("E42", datasets=["shops", "codes"], k=3, mode="keyword")
    assert found.results[0].columns["key"] == "c1"


def test_a_broken_filter_is_told_in_the_callers_words(lake: Lakehouse, animals: str) -> None:
    for where in ("number =", "Salary To > 5"):
        with pytest.raises(StatementFailed) as caught:
            lake.search("water", datasets=animals, where=where)
        assert "LINE" not in str(caught.value)
        assert "double quotes" in str(caught.value)
    with pytest.raises(StatementFailed) as caught:
        lake.search("water", datasets=animals, where="row = 1")
    assert "lakehouse row" not in str(caught.value)


def test_without_names_every_searchable_dataset_is_searched(lake: Lakehouse, animals: str) -> None:
    assert lake.describe_dataset(animals).index is not None
    lake.ingest({"name": "plain_too.csv", "text": "a\n1\n"})
    found = lake.search("octopus colour gap", k=20)
    assert ANIMALS["a4"] in [hit.text for hit in found.results]
    assert "plain_too" not in found.generations


def test_a_filter_that_fits_one_dataset_leaves_the_others_out(lake: Lakehouse, animals: str) -> None:
    lake.ingest(
        {"name": "letters.jsonl", "text": json.dumps({"body": "An octopus wrote this letter", "year": 1912})},
        text=["body"],
    )
    found = lake.search("octopus", where="year = 1912", k=5)
    assert [hit.dataset for hit in found.results] == ["letters"]
    assert found.plan[animals].startswith("left out: ")


def test_long_rows_give_one_hit_each_with_the_passage_that_answers(lake: Lakehouse) -> None:
    filler = "Nothing of note happened on this day in the village by the lake. " * 60
    text = {
        "long": filler + "The blacksmith forged a golden key for the queen. " + filler,
        "short": "The baker burned the bread.",
    }
    fill(lake, "chronicle", text)
    found = lake.search("golden key of the queen", datasets="chronicle", k=5).results
    assert [hit.columns["key"] for hit in found].count("long") == 1
    assert "golden key" in found[0].text
    assert len(found[0].text) < len(text["long"]) / 4
    assert "chunk=" in found[0].id


def test_a_row_of_many_passages_does_not_keep_the_others_out(lake: Lakehouse) -> None:
    text = {"long": "The golden key of the queen was lost. A golden key of the queen was found. " * 800}
    text |= {name: f"A {name} key once turned a lock of the castle." for name in ("silver", "copper", "iron")}
    fill(lake, "keys", text)
    found = lake.search("golden key of the queen", datasets="keys", k=4).results
    assert sorted(str(hit.columns["key"]) for hit in found) == ["copper", "iron", "long", "silver"]


def test_the_lake_knows_of_its_generations(lake: Lakehouse) -> None:
    fill(lake, "known")
    assert lake.describe_dataset("known").index is not None
    assert [s.searchable for s in lake.list_datasets("known").datasets if s.name == "known"] == [True]
    lake.build_index("known")
    assert rows(
        lake, "SELECT generation, serving, passages FROM system.generations WHERE dataset = 'known' ORDER BY 1"
    ) == [
        [1, False, 6],
        [2, True, 6],
    ]
    assert rows(lake, "SELECT count(*), min(recall_at_10) FROM system.trials WHERE dataset = 'known'") == [[2, 1.0]]
    lake.rollback_index("known", who="ann")
    assert rows(
        lake,
        "SELECT operation, from_version, to_version, who FROM system.operations "
        "WHERE dataset = 'known' AND operation LIKE '%index' ORDER BY time DESC, from_version DESC LIMIT 1",
    ) == [["rollback_index", 2, 1, "ann"]]


def test_a_citation_of_a_document_says_page_or_lines(lake: Lakehouse) -> None:
    text = "# Birds\n\nThe heron stands in the reeds.\n\n# Fish\n\nThe pike waits\nunder the bridge.\n"
    lake.ingest({"name": "field notes.md", "text": text})
    hit = lake.search("pike bridge", datasets="field_notes", k=1).results[0]
    assert "&lines=5-8" in hit.id
    assert hit.title == "field notes.md, Fish"
    passage = lake.fetch(hit.id)
    assert passage.metadata["lines"] == "5-8"
    assert "\n".join(text.split("\n")[4:8]) == passage.text


def test_an_id_whose_lines_were_altered_comes_back_true(lake: Lakehouse) -> None:
    text = "# Birds\n\nThe heron stands in the reeds.\n\n# Fish\n\nThe pike waits\nunder the bridge.\n"
    lake.ingest({"name": "altered notes.md", "text": text})
    cited = lake.search("pike bridge", datasets="altered_notes", k=1).results[0].id
    for altered in (
        cited.replace("lines=5-8", "lines=1-2"),
        cited.replace("&lines=5-8", "&page=7"),
        cited.replace("chunk=0", "chunk=3"),
        cited.replace("chunk=0&", ""),
    ):
        passage = lake.fetch(altered)
        assert altered != cited
        assert (passage.id, passage.url) == (cited, cited)
    bare = lake.fetch(cited.partition("#")[0])
    assert "lines=5-8" in bare.id
    # What was not checked gets no hash that would make it look so.
    assert "hash=" not in bare.id
    assert lake.fetch(bare.id).metadata["unchecked"] == bare.metadata["unchecked"]


def test_an_id_of_a_row_without_text_opens_again(lake: Lakehouse) -> None:
    lake.ingest({"name": "gaps.csv", "text": "id,note\n1,\n2,The otter floats.\n"}, text=["note"])
    passage = lake.fetch("lakehouse://datasets/gaps/v0/rows/0")
    assert passage.text == lake.fetch(passage.id).text == ""
