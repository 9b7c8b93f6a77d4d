"""Passages: what they cover, how large they are, and where they are cut."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_lakehouse.index.chunking import MOST_TOKENS, OVERLAP_TOKENS, spans
from mcp_lakehouse.index.units import UNIT_TOKENS, estimate

# The longest stretch of space a token stands for, times the tokens of a passage with its last unit.
MOST_CHARS = 32 * (MOST_TOKENS + UNIT_TOKENS)

FRAGMENTS = st.sampled_from(
    [
        *"word Dr. e.g. 3.14 No. (x). end. What? Wow! 東京都 。 ？ ภาษาไทย é \u0301 😀 # - 1. | } { ); : , ``` ~~~ --- == @d".split(),
        *(" ", "\n", "\n\n", "\t", "    ", "\r\n", "\x0c", "\u2028", "\u3000", " " * 50, "\n" * 40, "\x00", "\ud800"),
        *(
            "x" * 100,
            "漢" * 70,
            "1" * 90,
            "def f(a):\n    return a\n\n",
            "## Heading\n",
            "- item one\n",
            "a_b.c(d)",
            "---\n",
        ),
        *("A whole sentence with several words in it. ", "lower case one . ", "for (;;) {\n}\n", "x = 1\n", "_" * 80),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=400),
    st.lists(FRAGMENTS, max_size=400).map("".join),
    st.tuples(st.lists(FRAGMENTS, min_size=1, max_size=12).map("".join), st.integers(1, 200)).map(
        lambda p: p[0] * p[1]
    ),
)


def passages(text: str) -> list[str]:
    return [text[start:end] for start, end in spans(text)]


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_passages_cover_a_text_in_order_and_stay_small(text: str) -> None:
    found = spans(text)
    covered = 0
    for number, (start, end) in enumerate(found):
        assert 0 <= start < end <= len(text)
        # Neither empty nor with space around it.
        assert text[start:end] == text[start:end].strip()
        assert end - start <= MOST_CHARS
        assert estimate(text[start:end]) <= MOST_TOKENS + UNIT_TOKENS
        if number:
            assert start > found[number - 1][0]
            assert end > found[number - 1][1]
        assert not text[covered:start].strip()
        covered = max(covered, end)
    assert not text[covered:].strip()
    assert spans(text) == found


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_up_to_256_tokens_are_one_passage(text: str) -> None:
    stripped = text.strip()
    if stripped and estimate(stripped) <= MOST_TOKENS:
        assert passages(text) == [stripped]


@pytest.mark.parametrize("text", ["", " ", "\n\n\t", "\u3000" * 5000, "\x1c\x1d"])
def test_space_alone_has_no_passages(text: str) -> None:
    assert spans(text) == []


SENTENCES = [
    "Dr. Smith paid 3.14 dollars, i.e. not much, to J. R. Brown of Acme Inc. in Fig. 2 of the report.",
    "The committee asked whether every forklift operator had renewed the certificate before the winter season?",
    "Nobody answered the question in time!",
    'One of them said "we shall see." (That was all.)',
    "Version 2.0.1 of the U.S. standard, cf. No. 7, came in Jan. 2021 and changed nothing for anybody at the plant.",
]


def test_prose_is_cut_between_sentences() -> None:
    text = " ".join(SENTENCES * 12)
    found = passages(text)
    assert len(found) > 3
    whole = " ".join(SENTENCES) + " " + " ".join(SENTENCES)
    starts = {sentence[:12] for sentence in SENTENCES} | {"(That was al"}
    for passage in found:
        assert passage[:12] in starts, passage[:60]
        assert passage.endswith((".", "?", "!", ")")), passage[-60:]
        assert passage[-30:] in whole + text


def test_neighbours_overlap_by_at_most_50_tokens() -> None:
    text = " ".join(f"Sentence number {n} has a few words." for n in range(400))
    found = spans(text)
    for (_, end), (start, _) in itertools.pairwise(found):
        assert 0 < estimate(text[start:end]) <= OVERLAP_TOKENS


def test_sentences_without_capitals_are_found_too() -> None:
    text = " ".join(f"the flow about plate {n} was measured in a tunnel ." for n in range(100))
    assert all(passage.startswith("the flow") and passage.endswith("tunnel .") for passage in passages(text))


def test_chinese_and_japanese_are_cut_after_their_full_stops() -> None:
    text = "".join(f"これは{n}番目の文です。とても短い文ですか？" for n in range(60))
    assert all(passage[-1] in "。？" for passage in passages(text))


def test_a_markdown_section_begins_a_passage() -> None:
    body = "A sentence about the matter at hand, with some words. " * 12
    text = "\n".join(f"## Section {n}\n\n{body}\n" for n in range(5))
    found = passages(text)
    assert [passage.split("\n")[0] for passage in found] == [f"## Section {n}" for n in range(5)]


def test_a_heading_is_never_the_end_of_a_passage() -> None:
    for words in range(60, 130, 3):
        text = "\n\n".join(f"Title {n}\n=====\n\n" + "word and " * words + "end." for n in range(4))
        assert not any(re.search(r"Title \d\n=+$", passage) for passage in passages(text))


def test_list_items_stay_whole() -> None:
    text = "\n".join(f"- item {n} says something of about a dozen words, no more than that" for n in range(80))
    for passage in passages(text):
        assert passage.startswith("- item")
        assert passage.endswith("than that")


PYTHON = """
@decorated
def function_{n}(first, second):
    \"\"\"What it does.\"\"\"
    total = 0
    for item in first:
        if item > second:
            total += item

        total -= 1
    return total
"""
BRACES = """
// Adds them up.
static int function_{n}(int first, int second) {{
    int total = 0;
    for (int i = 0; i < first; i++) {{
        total += second * i;
    }}

    return total;
}}
"""


@pytest.mark.parametrize(("block", "first", "last"), [(PYTHON, "@decorated", "return total"), (BRACES, "// Adds", "}")])
def test_short_functions_are_not_cut(block: str, first: str, last: str) -> None:
    text = "\n".join(block.format(n=n) for n in range(30))
    found = passages(text)
    assert len(found) > 5
    for passage in found:
        assert passage.startswith(first)
        assert passage.endswith(last)


def test_functions_in_a_fence_are_not_cut() -> None:
    text = "Intro.\n\n```python\n" + "\n".join(PYTHON.format(n=n) for n in range(20)) + "```\n\nThe end."
    for passage in passages(text):
        assert passage.count("@decorated") == passage.count("return total")


def test_a_long_function_is_cut_between_lines() -> None:
    text = "def long():\n" + "\n".join(f"    value_{n} = compute(value_{n - 1}, {n})" for n in range(200))
    lines = set(text.splitlines())
    for passage in passages(text):
        assert set(passage.splitlines()[1:]) <= lines
        assert passage.splitlines()[0].strip() in {line.strip() for line in lines}


@pytest.mark.parametrize(
    "unit",
    ["x", "word ", "a\n", "漢字", ". ", "a(", "```\n", "# a\n", "x" + " " * 999, "Dr. ", "a\n---\n", "é ", "{\n", "1."],
)
def test_hostile_texts_take_time_in_proportion_to_their_length(unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        began = time.process_time()
        assert spans(text)
        return time.process_time() - began

    # Quadratic work would take a hundred times longer for ten times the text.
    assert seconds(200_000) < 40 * max(seconds(20_000), 0.005)


@pytest.mark.parametrize(
    ("text", "low", "high"), [("The quick brown fox jumps over the lazy dog.", 9, 12), ("東京都", 3, 3), ("", 0, 0)]
)
def test_the_estimate_is_near_what_models_count(text: str, low: int, high: int) -> None:
    assert low <= estimate(text) <= high
