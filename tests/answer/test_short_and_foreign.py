"""Short sentences, other languages, tables and code, several datasets: what is quoted and what refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from answer.fakes import HANDBOOK, Scripted, Shelf, hit
from answer.test_texts import cut
from mcp_lakehouse.answer.answering import Answering
from mcp_lakehouse.answer.words import Words
from mcp_lakehouse.errors import ModelFailed
from mcp_lakehouse.records import SearchResult

Make = Callable[..., Answering]

RETRY = hit(
    0,
    "`retry_call` calls a function again when it fails. The default is 5 attempts.\n\n"
    "```python\nretry_call(fn, attempts=5)\n```\n\n"
    "## Errors\n\n| Code | Meaning | Retried |\n|------|---------|---------|\n"
    "| E17  | socket closed by peer | yes |\n| E42  | credentials rejected | no |\n",
    source="retry.md",
)
LEAVE = hit(
    0,
    "Jeder Mitarbeiter hat Anspruch auf 28 Arbeitstage Urlaub im Jahr. "
    "Resturlaub verfällt am 31. März des Folgejahres. Wer krank ist, meldet sich bis 9 Uhr bei der Schichtleitung.",
    source="urlaub.md",
)
CAFE = hit(
    0,
    "La machine à café est nettoyée chaque vendredi. Le détartrage se fait tous les deux mois avec de l'acide.",
    source="cafe.md",
)


@pytest.mark.parametrize(
    ("text", "question", "quote"),
    [
        ("The fee is not refunded.", "Is the fee refunded?", "The fee is not refunded."),
        ("Smoking is not allowed.", "Is smoking allowed?", "Smoking is not allowed."),
        ("Dogs are not allowed.", "Are dogs allowed?", "Dogs are not allowed."),
    ],
)
def test_a_short_sentence_answers_before_its_longer_neighbour(
    answering: Make, text: str, question: str, quote: str
) -> None:
    page = hit(0, f"# Policy\n{text} Broken phones must be sent by post to the depot.", source="p.md")
    assert [c.quote for c in answering([page]).ask(question).citations] == [quote]


def test_a_heading_is_no_answer(answering: Make) -> None:
    page = hit(0, "# Refund of the fee\nThe fee is paid back after two weeks by cheque.", source="p.md")
    answer = answering([page]).ask("When is the refund of the fee?")
    assert answer.citations[0].quote == "The fee is paid back after two weeks by cheque."


@pytest.mark.parametrize(
    "text",
    [
        "Der Vertrag endet am 31. Dezember 2026.",
        "Resturlaub verfällt am 31. März des Folgejahres.",
        "Die Feier ist am 2. und 3. Oktober im 2. Stock.",
        "Siehe Abs. 3 der Anlage und Nr. 4.",
        "Some of them, i.e. Ann and e.g. Bo, agreed.",
        "The fee is approx.\nThree dollars.",
        "We met Dr.\nMeier there.",
    ],
)
def test_ordinals_and_abbreviations_end_no_sentence(text: str) -> None:
    assert cut(text) == [text]


@pytest.mark.parametrize(
    "text",
    ["We sold 12. Then we left.", "He was born on day 31. May we go?", "The plan has 3. Decisions follow."],
)
def test_a_number_may_still_end_a_sentence(text: str) -> None:
    assert len(cut(text)) == 2


@pytest.mark.parametrize(
    ("page", "question", "holds"),
    [
        (LEAVE, "Was passiert mit Resturlaub?", "31. März"),
        (LEAVE, "Wie viele Urlaubstage hat ein Mitarbeiter im Jahr?", "28 Arbeitstage"),
        (LEAVE, "Bis wann muss ich mich krank melden?", "9 Uhr"),
        (CAFE, "Quand la machine à café est-elle nettoyée ?", "vendredi"),
        (CAFE, "À quelle fréquence faut-il détartrer la machine ?", "deux mois"),
    ],
)
def test_a_question_in_another_language_is_answered(answering: Make, page: object, question: str, holds: str) -> None:
    answer = answering([page]).ask(question)
    assert not answer.refused
    assert any(holds in c.quote for c in answer.citations)


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        ("Wie hoch ist der Zuschlag für mich?", {"zuschlag"}),
        ("¿Cuántos días tiene la semana?", {"dia", "semana"}),
        ("Quante ore ha un giorno?", {"ore", "giorno"}),
        ("Quando é que a loja fecha?", {"loja", "fecha", "e"}),
        ("Hoeveel dagen heeft een week?", {"dagen", "week"}),
        ("Who can die in a war?", {"die", "war"}),
        ("How long is the backoff?", {"backoff"}),
    ],
)
def test_what_only_asks_is_no_content_in_any_language(words: Words, question: str, terms: set[str]) -> None:
    assert set(words.asked(question)) - {"e"} == terms - {"e"}


def test_german_nouns_and_words_for_the_reader_name_nothing(words: Words) -> None:
    assert words.named("Wie lange dauert bei Ihnen der Urlaub?") == frozenset()
    assert words.named("Wie lange gilt der Vertrag QX-417 im Jahr 2026?") >= {"417", "2026"}


def test_a_refusal_lists_no_question_words(answering: Make) -> None:
    answer = answering(HANDBOOK).ask("Wie hoch ist der Eiffelturm, wann muss ich ihn zahlen?")
    assert answer.refused
    said = answer.answer.partition("speaks of")[2]
    assert "Eiffelturm" in said
    assert not {"Wie", "hoch", "wann", "muss", "ich", "ihn"} & set(said.replace(",", " ").replace(".", " ").split())


def test_a_table_row_is_told_with_its_columns_and_quoted_with_the_header_where_it_stands(answering: Make) -> None:
    second = answering([RETRY]).ask("What does error E42 mean?")
    assert second.answer == "Code: E42; Meaning: credentials rejected; Retried: no [1]"
    assert second.citations[0].quote == "| E42  | credentials rejected | no |"
    first = answering([RETRY]).ask("Is E17 retried?")
    assert first.citations[0].quote.startswith("| Code | Meaning | Retried |\n|--")
    assert first.citations[0].quote.endswith("| E17  | socket closed by peer | yes |")
    assert first.citations[0].quote in RETRY.text


def test_prose_is_quoted_before_code_and_no_fence_is(answering: Make) -> None:
    answer = answering([RETRY]).ask("What is the default number of attempts of retry_call?")
    quotes = [c.quote for c in answer.citations]
    assert "The default is 5 attempts." in quotes
    assert not any("```" in quote or quote.startswith("retry_call(") for quote in quotes)


def test_a_dataset_that_shares_a_word_is_not_glued_to_the_answer(answering: Make) -> None:
    clinic = hit(0, "The clinic closes at 5 on Fridays.", dataset="clinic", source="c.md")
    other = hit(1, "The shop opens on Fridays with music.", dataset="shop", source="s.md")
    answer = answering([clinic, other]).ask("When does the clinic close on Fridays?")
    assert [c.id for c in answer.citations] == [clinic.id]


def test_a_refusal_says_how_many_more_were_not_searched(answering: Make) -> None:
    class Partly(Shelf):
        def __call__(self, **asked: object) -> SearchResult:  # type: ignore[override]
            found = super().__call__(**asked)  # type: ignore[arg-type]
            plan = {f"other{n}": "no index" for n in range(8)}
            return SearchResult(found.results, found.generations, found.mode, plan, found.elapsed_ms)

    answer = answering(Partly(HANDBOOK)).ask("Who won the world cup in 2014?")
    assert answer.answer.endswith("Not searched: other0, other1, other2, other3, other4 and 3 more.")


def test_a_dead_chat_and_a_refusal_claim_no_quotes(answering: Make) -> None:
    dead = Scripted(ModelFailed("no model", hint="start it"))
    answer = answering(HANDBOOK, dead).ask("Who won the world cup in 2014?")
    assert answer.refused
    assert answer.note is not None
    assert "failed (no model)" in answer.note
    assert "quoted" not in answer.note
