"""The keyword index: what matches, what survives, and what several processes see."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mcp_lakehouse.errors import Conflict, LakehouseError
from mcp_lakehouse.index.analysis import Analyser
from mcp_lakehouse.index.keywords import Keywords

TESTS = Path(__file__).parents[1]


@pytest.fixture
def keywords(tmp_path: Path) -> Iterator[Keywords]:
    with Keywords(tmp_path / "keywords") as opened:
        yield opened


def found(keywords: Keywords, query: str, limit: int = 10) -> list[tuple[str, int]]:
    return [(part, number) for part, number, _ in keywords.search(query, limit)]


def kept(folder: Path, **parts: list[str]) -> None:
    with Keywords(folder) as keywords:
        for part, texts in parts.items():
            keywords.add(part, texts)
        keywords.commit()


# --- Words ---


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The foxes were running", "RUN fox"),
        ("def getUserName(self):", "user name"),
        ("def getUserName(self):", "get_user_name"),
        ("total = get_user_name()", "getUserName"),
        ("call os.path.join here", "os.path.join"),
        ("import std::vector", "vector"),
        ("the HTTPServer class", "server"),
        ("holds an OSHA-10 card", "osha10"),
        ("holds an OSHA10 card", "OSHA 10"),
        ("in the U.S.A. only", "usa"),
        ("Résumé in Zürich", "resume zurich"),
        ("re\u0301sume\u0301", "résumé"),
        ("東京都に住む猫", "東京"),
        ("東京都に住む猫", "猫"),
        ("지게차 운전사", "운전"),
        ("ประเทศไทย", "ไทย"),
        ("हिन्दी भाषा", "हिन्दी"),
        ("Ёлка и снег", "елка"),
        ("مُحَمَّد", "محمد"),
        ("ＦＵＬＬ width", "full"),
        ("nul\x00byte", "byte"),
    ],
)
def test_a_text_is_found_by_the_words_a_person_would_use(keywords: Keywords, text: str, query: str) -> None:
    keywords.add("a", ["nothing of the sort", text])
    keywords.commit()
    assert found(keywords, query) == [("a", 1)]


def test_an_identifier_found_whole_is_ahead_of_its_parts(keywords: Keywords) -> None:
    keywords.add("a", ["user x get y name z", "u getUserName v", "get the name of a user"])
    keywords.commit()
    assert found(keywords, "getUserName")[0] == ("a", 1)


@pytest.mark.parametrize(
    "query", ["", "   ", "the of and", "\x00", "\ud800", '"', "a AND (b OR", "body:*", "-", "😀", "^2~"]
)
def test_a_query_without_words_of_the_index_finds_nothing(keywords: Keywords, query: str) -> None:
    keywords.add("a", ["forklift operator"])
    keywords.commit()
    assert keywords.search(query, 10) == []


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_the_words_of_a_text_find_it_whatever_they_are(text: str) -> None:
    analyser = Analyser()
    words = analyser.words(text)
    assert words == analyser.words(text)
    # What is found by the whole is found by each line of it: words do not depend on what is around them.
    assert sorted(words) == sorted(word for line in text.split("\n") for word in analyser.words(line))


@pytest.mark.parametrize("bad", ["1." * 50_000, "aA" * 50_000, "a_" * 50_000, "漢" * 50_000, "(" * 100_000])
def test_hostile_texts_take_time_in_proportion_to_their_length(bad: str) -> None:
    # Quadratic work on 100 KB takes minutes; the suite would not end.
    assert len(Analyser().words(bad)) <= 3 * len(bad)


def test_a_query_as_long_as_a_book_is_answered(keywords: Keywords) -> None:
    keywords.add("a", ["forklift operator"])
    keywords.commit()
    assert found(keywords, "forklift " + " ".join(f"word{n}" for n in range(200_000))) == [("a", 0)]


# --- Ranking and filters ---


def test_a_word_given_twice_counts_twice(keywords: Keywords) -> None:
    keywords.add("a", ["red square", "blue circle"])
    keywords.commit()
    assert found(keywords, "red red circle") == [("a", 0), ("a", 1)]
    assert found(keywords, "red circle circle") == [("a", 1), ("a", 0)]
    once, twice = keywords.search("red", 1)[0][2], keywords.search("red red", 1)[0][2]
    assert twice == pytest.approx(2 * once, rel=1e-5)


def test_scores_fall_and_equal_ones_are_in_order_of_place(keywords: Keywords) -> None:
    keywords.add("a", ["red cat", "red red cat", "red cat"])
    keywords.commit()
    hits = keywords.search("red", 10)
    assert [number for _, number, _ in hits] == [1, 0, 2]
    assert hits[1][2] == hits[2][2]


@pytest.mark.parametrize("limit", [-1, 0, 1, 3, 10**9])
def test_any_limit_is_kept(keywords: Keywords, limit: int) -> None:
    keywords.add("a", ["red"] * 5)
    keywords.commit()
    assert len(keywords.search("red", limit)) == min(5, max(0, limit))


@pytest.mark.parametrize("step", [1, 7, 100, 999])
def test_a_filter_leaves_the_best_of_what_it_allows(keywords: Keywords, step: int) -> None:
    chance = random.Random(step)
    texts = [" ".join(chance.choices(["red", "blue", "green", "grey"], k=6)) for _ in range(1000)]
    keywords.add("a", texts[:600])
    keywords.add("b", texts[600:])
    keywords.commit()

    def allowed(part: str, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        return (numbers + (600 if part == "b" else 0)) % step == 0

    everything = keywords.search("red grey", 10_000)
    expected = [hit for hit in everything if allowed(hit[0], np.array([hit[1]]))[0]]
    assert keywords.search("red grey", 10, allowed) == expected[:10]


def test_a_filter_that_allows_nothing_ends(keywords: Keywords) -> None:
    keywords.add("a", ["red"] * 3000)
    keywords.commit()
    assert keywords.search("red", 5, lambda _, numbers: np.zeros(len(numbers), bool)) == []


# --- Parts ---


def test_changes_count_from_the_commit_on(keywords: Keywords) -> None:
    assert keywords.empty
    keywords.add("a", ["red", "blue"])
    assert keywords.parts() == {}
    assert found(keywords, "red") == []
    keywords.commit()
    assert keywords.parts() == {"a": 2}
    keywords.add("a", ["green"])
    keywords.remove("b")
    assert found(keywords, "red") == [("a", 0)]
    keywords.commit()
    assert keywords.parts() == {"a": 1}
    assert (found(keywords, "red"), found(keywords, "green")) == ([], [("a", 0)])
    keywords.remove("a")
    keywords.commit()
    assert keywords.empty
    assert found(keywords, "green") == []


def test_a_part_may_be_empty_and_have_any_name(keywords: Keywords) -> None:
    names = ["", "a b/c'\"\\.parquet", "名前", "x" * 300, "tables/ds/part-0000.parquet"]
    for name in names:
        keywords.add(name, [])
    keywords.commit()
    assert keywords.parts() == dict.fromkeys(names, 0)


def test_many_small_commits_answer_as_one_big_one(tmp_path: Path) -> None:
    chance = random.Random(5)
    model: dict[str, list[str]] = {}
    with Keywords(tmp_path / "small") as small, Keywords(tmp_path / "big") as big:
        for step in range(25):
            name = f"part-{chance.randrange(8)}"
            if chance.random() < 0.3:
                small.remove(name)
                model.pop(name, None)
            else:
                texts = [" ".join(chance.choices("abcdefghij", k=4)) + f" s{step}" for _ in range(20)]
                small.add(name, texts)
                model[name] = texts
            small.commit()
        for name, texts in model.items():
            big.add(name, texts)
        big.commit()
        assert small.parts() == big.parts() == {name: len(texts) for name, texts in model.items()}
        for letter in "bcdefghj":
            assert sorted(found(small, letter, 1000)) == sorted(found(big, letter, 1000))
    # Nothing of the states between is left.
    assert len(list((tmp_path / "small").iterdir())) == 2


def test_a_part_whose_texts_fail_midway_is_not_half_there(keywords: Keywords) -> None:
    class Failing(list[str]):
        def __iter__(self) -> Iterator[str]:
            yield "red"
            raise Conflict("stopped", hint="again")

    keywords.add("a", ["blue"])
    with pytest.raises(Conflict):
        keywords.add("b", Failing(["red", "red"]))
    keywords.commit()
    assert keywords.empty
    keywords.add("b", ["red"])
    keywords.commit()
    assert keywords.parts() == {"b": 1}


def test_searching_goes_on_in_other_threads_while_parts_change(keywords: Keywords) -> None:
    keywords.add("fixed", ["red anchor"])
    keywords.commit()
    stop, wrong = threading.Event(), list[object]()

    def search() -> None:
        while not stop.is_set():
            try:
                if ("fixed", 0) not in found(keywords, "red anchor"):
                    wrong.append("missing")
            except LakehouseError as error:
                wrong.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(6):
        keywords.add("other", [f"text {number}"] * 50)
        keywords.commit()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_searching_does_not_wait_for_a_part_that_is_being_added(keywords: Keywords) -> None:
    keywords.add("a", ["red"])
    keywords.commit()
    seen: list[list[tuple[str, int]]] = []

    class Slow(list[str]):
        def __iter__(self) -> Iterator[str]:
            searching = threading.Thread(target=lambda: seen.append(found(keywords, "red")), daemon=True)
            searching.start()
            searching.join(timeout=30)
            return super().__iter__()

    keywords.add("b", Slow(["blue"]))
    assert seen == [[("a", 0)]]
