"""Sentences, words and quotes: the texts that answers are made of."""

from __future__ import annotations

import pytest

from mcp_lakehouse.answer.blocks import cells
from mcp_lakehouse.answer.quotes import locate
from mcp_lakehouse.answer.sentences import sentences
from mcp_lakehouse.answer.words import Words, coverage, weights


def cut(text: str, longest: int = 600) -> list[str]:
    return [text[start:end] for start, end in sentences(text, longest)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It rained. We stayed!  Why?", ["It rained.", "We stayed!", "Why?"]),
        (
            "Dr. Li met J. Smith, e.g. at No. 5 Main St. in May.",
            ["Dr. Li met J. Smith, e.g. at No. 5 Main St. in May."],
        ),
        ('He said "No." Then he left.', ['He said "No."', "Then he left."]),
        ("the wing stalls . the results were intended .", ["the wing stalls .", "the results were intended ."]),
        ("Rate is 0.5 percent. Next.", ["Rate is 0.5 percent.", "Next."]),
        (
            "Forklift operator\nChicago, IL\n- Loaded trucks\n- Trained staff",
            ["Forklift operator", "Chicago, IL", "- Loaded trucks", "- Trained staff"],
        ),
        ("A line that was\nbroken by hand.", ["A line that was\nbroken by hand."]),
        (
            "Sailed with 63 passengers and\n7 crew, inbound from\nVarra. Note,\n2 hurt.",
            ["Sailed with 63 passengers and\n7 crew, inbound from\nVarra.", "Note,\n2 hurt."],
        ),
        (
            "The hose was fitted in March\n2017 by Capt. E. Morrow.",
            ["The hose was fitted in March\n2017 by Capt. E. Morrow."],
        ),
        ("16:40 Steering lost\n16:42 Struck the pier", ["16:40 Steering lost", "16:42 Struck the pier"]),
        ("1. Wash hands. Then go.", ["1. Wash hands.", "Then go."]),
        ("今日は雨です。明日は晴れ。", ["今日は雨です。", "明日は晴れ。"]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_a_text_is_cut_where_its_sentences_end(text: str, parts: list[str]) -> None:
    assert cut(text) == parts


def test_lines_that_a_page_broke_stay_together() -> None:
    page = (
        "Dynamic languages such as JavaScript are harder to compile\n"
        "than statically typed ones. Since no concrete type is known,\n"
        "Traditional compilers need to emit generic code that handles\n"
        "All possible type combinations at run time."
    )
    assert [part.split()[0] for part in cut(page)] == ["Dynamic", "Since"]


def test_an_endless_sentence_is_cut_between_words_and_nothing_is_lost() -> None:
    text = "word " * 300 + "x" * 700
    parts = cut(text, 100)
    assert max(map(len, parts)) <= 100
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_question_words_are_no_content(words: Words) -> None:
    assert words.terms("What is it that you would like to know about?") == []
    assert set(words.terms("Which operators hold OSHA-10?")) == {"oper", "osha", "10"}


def test_names_and_numbers_are_told_from_a_capital_at_the_start(words: Words) -> None:
    assert words.named("Does Vorlandin treat 12 patients?") == {"vorlandin", "12"}
    assert words.named("Wings stall early. Drag rises.") == frozenset()
    assert words.named("DOES IT WORK IN TEXAS") == frozenset()
    assert "osha" in words.named("OSHA-10 holders")


def test_a_term_that_few_passages_hold_tells_more() -> None:
    weight = weights([["a", "b"], ["a"], ["a"]], ["a", "b", "c"])
    assert weight["a"] < weight["b"] < weight["c"]
    assert coverage(["a", "b", "c"], weight) == pytest.approx(1.0)
    assert coverage([], weight) == 0
    assert coverage([], {}) == 1


@pytest.mark.parametrize(
    "quote",
    [
        "The lead’s copy — kept",
        "the LEAD'S copy - kept",
        "The  lead's\ncopy - kept.",
        "“The lead's copy - kept”",
        "The lead's co\u00adpy - kept",
    ],
)
def test_a_quote_is_found_whatever_copying_did_to_it(quote: str) -> None:
    text = "Before. The lead’s copy —\n kept, always."
    found = locate(quote, text)
    assert found == "The lead’s copy —\n kept"
    assert found in text


def test_a_word_broken_by_a_page_is_found_and_given_as_it_stands() -> None:
    assert locate("hard to compile", "It is hard to com\ufffepile, yes.") == "hard to com\ufffepile"


@pytest.mark.parametrize("quote", ["", "  ", "The lead's copies - kept", "The copy - kept", "…", "lead's … kept"])
def test_what_does_not_stand_there_word_for_word_is_not_found(quote: str) -> None:
    assert locate(quote, "Before. The lead’s copy —\n kept, always.") is None


def test_a_line_broken_where_the_next_word_did_not_fit_goes_on_before_a_capital_too() -> None:
    text = (
        "Three offers were compared at length, and the board chose Kruse\n"
        "Brothers because they give a guarantee of ten years on the roof.\n"
        "Next meeting: May."
    )
    assert cut(text)[0].endswith("Kruse\nBrothers because they give a guarantee of ten years on the roof.")


def test_short_lines_and_headings_stand_alone() -> None:
    wide = "A line of a text that is as wide as the margin lets it be, to the end"
    assert cut(f"# Opening hours of the museum in the summer and on all the holidays\nMonday\nClosed\n{wide}") == [
        "# Opening hours of the museum in the summer and on all the holidays",
        "Monday",
        "Closed",
        wide,
    ]


def test_a_row_of_a_table_is_told_by_its_columns_with_or_without_names() -> None:
    text = "| | Mon | Sun |\n|---|---|---|\n| Desk | 8-18 | Closed |"
    start = text.rindex("| Desk")
    assert cells(text, start, len(text)) == "Desk; Mon: 8-18; Sun: Closed"
