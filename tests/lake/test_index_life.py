"""What happens to an index while data changes, models change, files go missing and processes die."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lake.places import Place, folder_place, rows
from lake.searching import ANIMALS, Counting, documents, fill, keys, use
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, InvalidInput, NotFound
from mcp_lakehouse.index.local import forget_local

NEW = {"n1": "The pangolin rolls itself into a ball of scales."}


@pytest.fixture(scope="module")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("animals")
    with folder_place(folder).open() as lake:
        fill(lake, "t", key=["key"])
        assert keys(lake, "octopus gap", "t", k=1) == ["a4"]
    return folder / "lake"


@pytest.fixture
def place(tmp_path: Path, _template: Path) -> Place:
    """A folder of the test's own with a lake whose dataset `t` holds six animals, searchable."""
    place = folder_place(tmp_path)
    shutil.copytree(_template, place.address)
    return place


def test_new_rows_are_found_when_the_load_returns(place: Place) -> None:
    with place.open() as lake:
        fill(lake, "t", NEW)
        assert keys(lake, "pangolin scales", "t", k=1) == ["n1"]
        assert keys(lake, "pangolin scales", "t", k=1, mode="vector") == ["n1"]


def test_upserts_replacements_and_restorations_count_at_once(place: Place) -> None:
    with place.open() as lake:
        fill(lake, "t", {"a1": "The otter plays the trombone."}, mode="upsert")
        assert keys(lake, "otter trombone", "t", k=1) == ["a1"]
        assert lake.search("otter", datasets="t", k=1).results[0].text == "The otter plays the trombone."
        assert "shellfish" not in str(lake.search("cracks shellfish with a stone", datasets="t").results)
        fill(lake, "t", NEW, mode="replace")
        assert keys(lake, "otter", "t") == ["n1"]
        # What is not there any more is not told of.
        assert lake.search("otter", datasets="t").plan == {"t": "exact over 1 of 1 rows newer than generation 1"}
        lake.restore_dataset("t", 0)
        assert keys(lake, "shellfish stone", "t", k=1) == ["a1"]


def test_only_what_changed_is_embedded(place: Place) -> None:
    with place.open() as lake:
        counting = use(lake, Counting())
        fill(lake, "t", NEW)
        assert counting.texts == list(NEW.values())
        fill(lake, "t", {"a1": "The otter sings."}, mode="upsert")
        assert counting.texts == [*NEW.values(), "The otter sings."]
        lake.compact("t")
        lake.build_index("t")
        counting.texts.clear()
        assert keys(lake, "pangolin", "t", k=1) == ["n1"]
        assert counting.texts == ["pangolin"]


def test_the_same_text_is_embedded_once(place: Place) -> None:
    with place.open() as lake:
        counting = use(lake, Counting())
        fill(lake, "same", {f"k{n}": "the same words" for n in range(50)})
        assert counting.texts == ["the same words"]


def test_citations_open_after_everything_that_may_happen_to_data(place: Place) -> None:
    with place.open() as lake:
        cited = {hit.id: hit.text for hit in lake.search("water stone teeth", datasets="t", k=6).results}
        assert len(cited) == 6
        fill(lake, "t", {"a1": "Changed.", "a9": "Added."}, mode="upsert")
        lake.compact("t")
        lake.build_index("t")
        fill(lake, "t", NEW, mode="replace")
    shutil.rmtree(Path(place.address) / "_cache")
    shutil.rmtree(Path(place.address) / "index")
    with place.open() as lake:
        assert {each: lake.fetch(each).text for each in cited} == cited


@pytest.mark.parametrize("params", [None, {"M": 8}])
def test_local_files_may_be_taken_away_while_a_process_searches(place: Place, params: dict[str, float] | None) -> None:
    with place.open() as lake, place.open() as other:
        lake.build_index("t", params=params)
        other_found = [hit.id for hit in other.search("octopus gap shellfish", datasets="t").results]
        before = lake.search("octopus gap shellfish", datasets="t").results
        forget_local(Path(place.address) / "_cache" / "index")
        left = [path for path in (Path(place.address) / "_cache" / "index" / "t").rglob("*") if path.is_file()]
        assert {path.name for path in left} <= {"lock", "placing"}
        # One that had them open, another one, and one that opens the lake now.
        assert lake.search("octopus gap shellfish", datasets="t").results == before
        assert keys(lake, "octopus gap", "t", mode="keyword", k=1) == ["a4"]
        assert [hit.id for hit in other.search("octopus gap shellfish", datasets="t").results] == other_found
        with place.open() as third:
            assert third.search("octopus gap shellfish", datasets="t").results == before
        fill(lake, "t", NEW)
        assert keys(other, "pangolin scales", "t", k=1) == ["n1"]


def test_without_a_generation_there_is_nothing_to_go_back_to_and_all_is_searched(place: Place) -> None:
    shutil.rmtree(Path(place.address) / "index")
    with place.open() as lake:
        found = lake.search("octopus gap", datasets="t", k=1)
        assert (found.generations, found.plan) == ({"t": 0}, {"t": "exact over 6 of 6 rows"})
        described = lake.describe_dataset("t")
        assert (described.index, described.text) == (None, ["note"])
        with pytest.raises(NotFound, match="has been built yet: all its passages are searched exactly"):
            lake.rollback_index("t")
        lake.build_index("t")
        fill(lake, "t", NEW)
        assert "newer than generation 1" in lake.search("octopus", datasets="t").plan["t"]


def test_a_citation_that_was_changed_is_refused(place: Place) -> None:
    with place.open() as lake:
        cited = lake.search("otter", datasets="t", k=1).results[0].id
        with pytest.raises(InvalidInput, match="not what was cited"):
            lake.fetch(cited.replace("chars=0-", "chars=1-"))
        # Where it lies is read off the text, whatever the id claims.
        altered = lake.fetch(cited + "&page=9&lines=5-99")
        assert altered.metadata.keys().isdisjoint({"page", "lines"})
        assert (altered.id, altered.url) == (cited, cited)
        with pytest.raises(InvalidInput, match="has 56 characters"):
            lake.fetch(cited.replace("rows/0", "rows/1"))
        with pytest.raises(InvalidInput, match="no row 99"):
            lake.fetch("lakehouse://datasets/t/v0/rows/99")
        with pytest.raises(InvalidInput, match="no chunk 7"):
            lake.fetch("lakehouse://datasets/t/v0/rows/0#chunk=7")
        with pytest.raises(NotFound, match="no version 5"):
            lake.fetch("lakehouse://datasets/t/v5/rows/0")
        assert lake.fetch("lakehouse://datasets/t/v0/rows/0").text == ANIMALS["a1"]


def test_everything_is_rebuilt_from_the_tables(place: Place) -> None:
    before = ["a4"]
    shutil.rmtree(Path(place.address) / "_cache")
    shutil.rmtree(Path(place.address) / "index")
    with place.open() as lake:
        assert keys(lake, "octopus gap", "t", k=1) == before


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        ("*/part-*.parquet", b"PAR1 nonsense PAR1"),
        ("*/part-*.parquet", b""),
        ("generations/*.json", b"{}"),
        ("current.json", b"{"),
    ],
)
def test_damaged_embeddings_and_pointers_do_not_change_answers(place: Place, pattern: str, damage: bytes) -> None:
    before = ["a4"]
    damaged = list((Path(place.address) / "index" / "t").glob(pattern))
    assert damaged
    for path in damaged:
        path.write_bytes(damage)
    shutil.rmtree(Path(place.address) / "_cache")
    with place.open() as lake:
        assert keys(lake, "octopus gap", "t", k=1) == before


@pytest.mark.parametrize("pattern", ["rows/*.arrow", "keywords-*/**/*"])
def test_damaged_local_files_do_not_change_answers(place: Place, pattern: str) -> None:
    before = ["a4"]
    damaged = [path for path in (Path(place.address) / "_cache" / "index" / "t").glob(pattern) if path.is_file()]
    assert damaged
    for path in damaged:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with place.open() as lake:
        assert keys(lake, "octopus gap", "t", k=1) == before


def test_a_read_only_lake_can_be_searched(place: Place) -> None:
    shutil.rmtree(Path(place.address) / "index")
    shutil.rmtree(Path(place.address) / "_cache")
    with place.open(read_only=True) as lake:
        assert keys(lake, "octopus gap", "t", k=1) == ["a4"]
    assert not (Path(place.address) / "index").exists()


def test_another_model_is_an_error_that_says_what_to_do(place: Place) -> None:
    with place.open() as lake:
        use(lake, Counting(model="wordllama-next"))
        with pytest.raises(InvalidInput, match="was indexed with wordllama-256") as caught:
            keys(lake, "otter", "t")
        assert "build_index" in str(caught.value)
        assert lake.build_index("t").published
        assert keys(lake, "otter", "t", k=1) == ["a1"]


def test_a_build_below_its_gate_is_not_published(place: Place) -> None:
    with place.open() as lake:
        report = lake.build_index("t", params={"min_recall": 1.01})
        assert not report.published
        assert "the gate is 1.01" in str(report.note)
        assert lake.search("otter", datasets="t").generations == {"t": 1}
        assert rows(lake, "SELECT trial, published FROM system.trials ORDER BY 1") == [[1, True], [2, False]]


def test_a_build_with_another_model_than_the_one_that_is_set_is_not_published(place: Place) -> None:
    with place.open() as lake:
        other = Counting(model="another-256")
        other.spec = "another"
        use(lake, other)
        report = lake.build_index("t", embedder="another")
        assert not report.published
        assert "built with another, and the setting embedder is wordllama" in str(report.note)
        assert lake.search("otter", datasets="t").generations == {"t": 1}
        # Nor does a rollback bring one back: set to another, it would serve, and nobody could search it afterwards.
        lake._indexes.of(lake.catalog.get("t"))._spec = ""
        assert lake.build_index("t", embedder="another").published
        lake._indexes.of(lake.catalog.get("t"))._spec = "wordllama"
        assert lake.build_index("t", embedder="wordllama").published
        with pytest.raises(InvalidInput, match="was built with another, and the setting embedder is wordllama"):
            lake.rollback_index("t")
        assert keys(lake, "otter", "t", k=1) == ["a1"]


def test_impossible_parameters_are_named(place: Place) -> None:
    with place.open() as lake:
        for params in ({"m": 5}, {"M": 1}, {"ef": 1}, {"ef_construction": 0}):
            with pytest.raises(InvalidInput):
                lake.build_index("t", params=params)


def test_a_generation_with_a_graph_serves_after_reopening(place: Place) -> None:
    with place.open() as lake:
        fill(lake, "g", {f"k{n}": f"{n} {'odd' if n % 2 else 'even'} number {n * 7919 % 1000}" for n in range(400)})
        report = lake.build_index("g", params={"M": 8, "ef_construction": 50, "ef": 60})
        assert report.published
        assert report.recall_at_10 >= 0.98
        before = keys(lake, "odd number 17", "g")
    with place.open() as lake:
        assert keys(lake, "odd number 17", "g") == before
        assert lake.rollback_index("g").generation == 1
        assert keys(lake, "odd number 17", "g") == before
        with pytest.raises(NotFound, match="no older generation"):
            lake.rollback_index("g")


def test_a_rollback_brings_back_the_columns_that_were_searched(place: Place) -> None:
    with place.open() as lake:
        lake.build_index("t", columns=["key"])
        assert lake.search("a3", datasets="t", k=1).results[0].text == "a3"
        lake.rollback_index("t")
        found = lake.search("octopus", datasets="t", k=1)
        assert (found.results[0].text, found.generations) == (ANIMALS["a4"], {"t": 1})


def test_two_builders_both_succeed(place: Place) -> None:
    with place.open() as one, place.open() as other:
        reports = []
        threads = [
            threading.Thread(target=lambda lake=lake: reports.append(lake.build_index("t"))) for lake in (one, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(report.generation for report in reports) == [2, 3]
        assert keys(one, "otter", "t", k=1) == keys(other, "otter", "t", k=1) == ["a1"]


def test_others_search_the_version_before_while_one_embeds(place: Place) -> None:
    with place.open() as lake:
        assert keys(lake, "otter", "t", k=1) == ["a1"]
        started, go_on = threading.Event(), threading.Event()

        def halt() -> None:
            if not started.is_set():
                started.set()
                assert go_on.wait(20)

        use(lake, Counting(halt=halt))
        thread = threading.Thread(target=lambda: fill(lake, "t", NEW))
        thread.start()
        assert started.wait(20)
        found = lake.search("otter", datasets="t", k=1, mode="keyword").results
        go_on.set()
        thread.join()
        assert [hit.columns["key"] for hit in found] == ["a1"]
        assert "/v0/" in found[0].id
        assert keys(lake, "pangolin", "t", k=1) == ["n1"]


def test_a_load_cancelled_while_embedding_keeps_its_rows(place: Place) -> None:
    with place.open() as lake:
        token = CancelToken()
        use(lake, Counting(halt=token.cancel))
        with pytest.raises(Cancelled, match="cancelled") as caught:
            fill(lake, "u", cancel=token)
        assert "rows are loaded" in str(caught.value)
        use(lake, Counting())
        assert keys(lake, "otter", "u", k=1) == ["a1"]


def test_a_model_that_fails_leaves_the_rows_and_a_note(place: Place) -> None:
    def fail() -> None:
        raise InvalidInput("the model is away", hint="bring it back")

    with place.open() as lake:
        use(lake, Counting(halt=fail))
        report = lake.ingest(documents(ANIMALS), dataset="u", text=["note"])
        assert "not searchable yet: the model is away" in report.notes[0]
        assert rows(lake, "SELECT count(*) FROM u") == [[6]]
        assert rows(lake, "SELECT operation, message FROM system.errors") == [["index", "the model is away"]]
        use(lake, Counting())
        assert keys(lake, "otter", "u", k=1) == ["a1"]


@pytest.mark.parametrize(
    ("point", "after"),
    [("part-", ""), ("part-", "after"), ("generations/", ""), ("publications/", "after"), ("current.json", "")],
)
def test_a_process_killed_while_it_indexes_loses_nothing(place: Place, point: str, after: str) -> None:
    source = place.put("more.jsonl", documents(NEW)["text"])
    script = Path(__file__).with_name("dying_process.py")
    died = subprocess.run([sys.executable, script, place.address, source, point, after], timeout=60, check=False)
    assert died.returncode == 9
    with place.open() as lake:
        assert keys(lake, "pangolin", "t", k=1) == ["n1"]
        assert keys(lake, "otter", "t", k=1) == ["a1"]
        assert lake.build_index("t").published
        assert keys(lake, "pangolin", "t", k=1) == ["n1"]
