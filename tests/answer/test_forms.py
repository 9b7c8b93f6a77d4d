"""What a question may write differently from its answer."""

from __future__ import annotations

import pytest

from mcp_lakehouse.answer.words import Words


@pytest.fixture(scope="module")
def words() -> Words:
    return Words()


def stands_for(words: Words, question: str, text: str) -> dict[str, set[str]]:
    return {term: set(asked) for term, asked in words.alike(question, words.terms(text)).items()}


@pytest.mark.parametrize(
    ("question", "text", "found"),
    [
        ("Why did she lose the keys?", "the keys were lost", {"lost": {"lose"}}),
        ("Who wrote the report?", "its author is unknown", {"author": {"wrote"}}),
        ("What is the guarantee on the pump?", "a warranty of two years", {"warranti": {"guarante"}}),
        ("How many people were injured?", "two passengers were hurt", {"hurt": {"injur"}}),
        ("Was anyone hurt in the collision?", "the van struck a wall", {"struck": {"collis"}}),
        ("Where is the restroom?", "the toilets are upstairs", {"toilet": {"restroom"}}),
        ("What is your e-mail?", "email us", {"email": {"mail"}}),
        ("How long was the vessle docked?", "the vessel was docked", {"vessel": {"vessl"}}),
        ("Is the compresser covered?", "the compressor is", {"compressor": {"compress"}}),
        ("How high is the depoist?", "a deposit of 50", {"deposit": {"depoist"}}),
    ],
)
def test_forms_synonyms_and_slips_are_found(words: Words, question: str, text: str, found: dict[str, set[str]]) -> None:
    assert stands_for(words, question, text) == found


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Can I bring a cat?", "dogs are welcome"),
        ("Is dinner included?", "breakfast is included"),
        ("Where is the annual report?", "see the manual"),
        ("What does ERR-4102 mean?", "ERR-4103 means low pressure"),
        ("Where does Mr Marten live?", "Mr Martin lives in Leeds"),
        ("Where is the hall?", "the ball is over there"),
        ("Is the contract signed?", "the contract and the contact were signed"),
    ],
)
def test_what_is_merely_near_is_not(words: Words, question: str, text: str) -> None:
    assert stands_for(words, question, text) == {}


def test_words_that_only_ask_hide_no_others(words: Words) -> None:
    """ "Quite" and "quit" have one stem."""
    assert words.asked("May I quit early, if I want to?") == ["quit", "earli"]
