"""Answers that a model wrote: checked citation by citation; a model's failure costs the writing, not the answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest

from answer.fakes import HANDBOOK, Scripted, hit, written
from mcp_lakehouse.answer.answering import Answering
from mcp_lakehouse.answer.limits import AnswerLimits
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, LimitExceeded, NotAllowed
from mcp_lakehouse.llm.chat import Message

Make = Callable[..., Answering]

QUESTION = "How are overtime hours above forty in a week counted?"
OVERTIME = "Above forty hours in a week every hour counts one and a half times."


def place(messages: Sequence[Message], words: str) -> int:
    """The number under which the passage with these words was shown."""
    before = messages[1].text.split(words)[0]
    return int(re.findall(r"=== [0-9a-f]+ (\d+)\n", before)[-1])


def citing(*sentences: tuple[str, str]) -> Callable[[Sequence[Message]], str]:
    """A model that writes these sentences, each with a quote from the passage that holds it."""
    return lambda heard: written(*((text, [(place(heard, quote), quote)]) for text, quote in sentences))


def test_a_written_answer_carries_the_citations_that_hold(answering: Make) -> None:
    chat = Scripted(citing(("Overtime counts one and a half times.", "every hour counts one and a half times")))
    answer = answering(HANDBOOK, chat).ask(QUESTION)
    assert answer.answer == "Overtime counts one and a half times. [1]"
    assert [(c.n, c.id, c.quote) for c in answer.citations] == [
        (1, HANDBOOK[1].id, "every hour counts one and a half times")
    ]
    assert [e.id for e in answer.evidence] == [HANDBOOK[1].id]
    assert (answer.model, answer.grounded, answer.refused, answer.unsupported) == (chat.model, True, False, None)


def test_a_quote_is_given_as_it_stands_in_the_source(answering: Make) -> None:
    hits = [hit(0, "Above forty hours —\n every hour counts  “one and a half” times.", source="x")]
    chat = Scripted(written(("It counts one and a half times.", [(1, "every hour COUNTS 'one and a half' times")])))
    chat_quote = 'every hour counts "one and a half" times'
    chat = Scripted(written(("It counts one and a half times.", [(1, chat_quote)])))
    answer = answering(hits, chat).ask(QUESTION)
    assert answer.citations[0].quote == "every hour counts  “one and a half” times"


@pytest.mark.parametrize(
    ("text", "number", "quote"),
    [
        ("Overtime hours are paid by the company in gold.", 1, "overtime is paid in gold by the company"),
        ("Overtime counts one and a half times.", 99, "nowhere to be found at all"),
        ("Overtime counts one and a half times.", 0, "?!"),
        ("Overtime counts one and a half times.", 1, "a"),
        ("Overtime counts 7 times.", 1, "every hour counts one and a half times"),
        ("Overtime counts eight times.", 1, "every hour counts one and a half times"),
        ("Zebras graze.", 1, "every hour counts one and a half times"),
    ],
    ids=["invented", "no such passage", "no words", "a function word", "another number", "another word", "in common"],
)
def test_a_sentence_without_a_citation_that_holds_is_marked(
    answering: Make, text: str, number: int, quote: str
) -> None:
    good = ("Overtime counts one and a half times.", "every hour counts one and a half times")

    def reply(heard: Sequence[Message]) -> str:
        cited = place(heard, "every hour counts") if number == 1 else number
        return written((good[0], [(place(heard, good[1]), good[1])]), (text, [(cited, quote)]))

    answer = answering(HANDBOOK, Scripted(reply)).ask(QUESTION)
    assert answer.answer == f"{good[0]} [1] {text} [unsupported]"
    assert answer.unsupported == [text]
    assert not answer.grounded
    assert len(answer.citations) == 1
    assert answer.note is not None
    assert "dropped" in answer.note


def test_a_quote_ascribed_to_the_wrong_passage_is_cited_from_the_right_one(answering: Make) -> None:
    def reply(heard: Sequence[Message]) -> str:
        right = place(heard, "every hour counts")
        return written(
            ("Overtime counts one and a half times.", [(right % 3 + 1, "every hour counts one and a half times")])
        )

    answer = answering(HANDBOOK, Scripted(reply)).ask(QUESTION)
    assert answer.grounded
    assert answer.citations[0].id == HANDBOOK[1].id


def test_prose_that_marks_its_passages_gets_their_sentences_as_quotes(answering: Make) -> None:
    chat = Scripted(lambda heard: f"Above forty hours in a week every hour counts more [{place(heard, OVERTIME)}].")
    answer = answering(HANDBOOK, chat).ask(QUESTION)
    assert answer.citations[0].quote == OVERTIME
    assert answer.grounded


def test_the_models_own_marks_are_replaced(answering: Make) -> None:
    chat = Scripted(
        citing(("Overtime [7] counts one and a half times [3, 4].", "every hour counts one and a half times"))
    )
    assert answering(HANDBOOK, chat).ask(QUESTION).answer == "Overtime counts one and a half times. [1]"


def test_the_model_may_refuse(answering: Make) -> None:
    chat = Scripted('{"answerable": false, "sentences": []}')
    answer = answering(HANDBOOK, chat).ask(QUESTION)
    assert (answer.refused, answer.model, answer.citations) == (True, chat.model, [])
    assert "does not hold an answer" in answer.answer


@pytest.mark.parametrize(
    "reply",
    ["", "I think it is fine.", '{"answer": 42}', '{"answerable": true, "sentences": [', "[]", NotAllowed("the key was refused", hint="set it"),
     LimitExceeded("nothing came for 60 s")],
    ids=["empty", "no marks", "wrong shape", "half", "a list", "refused key", "hangs"],
)  # fmt: skip
def test_a_model_that_fails_costs_the_writing_and_not_the_answer(answering: Make, reply: str | Exception) -> None:
    chat = Scripted(reply)
    answer = answering(HANDBOOK, chat).ask(QUESTION)
    assert answer.citations[0].quote == OVERTIME
    assert (answer.model, answer.grounded, answer.refused) == (None, True, False)
    assert answer.note is not None
    assert chat.model in answer.note


def test_a_model_that_writes_without_end_is_stopped(answering: Make) -> None:
    chat = Scripted("word " * 1_000)
    answer = answering(HANDBOOK, chat, limits=AnswerLimits(reply_chars=1_000)).ask(QUESTION)
    assert answer.model is None
    assert "1,000 characters" in (answer.note or "")


def test_a_model_that_takes_too_long_is_stopped(answering: Make) -> None:
    chat = Scripted(citing(("Overtime counts more.", "every hour counts one and a half times")))
    answer = answering(HANDBOOK, chat, limits=AnswerLimits(model_seconds=-1)).ask(QUESTION)
    assert answer.model is None
    assert "not done" in (answer.note or "")


def test_cancelling_while_the_model_writes_is_no_failure_of_the_model(answering: Make) -> None:
    with pytest.raises(Cancelled):
        answering(HANDBOOK, Scripted(Cancelled("the call was cancelled"))).ask(QUESTION, cancel=CancelToken())


def test_no_model_is_asked_about_nothing(answering: Make) -> None:
    chat = Scripted()
    assert answering([], chat).ask(QUESTION).refused
    assert chat.heard == []


def test_what_the_model_reads_stays_within_its_budget(answering: Make) -> None:
    hits = [hit(n, f"Overtime rule {n}. " + "Hours above forty count. " * 400, source="x") for n in range(20)]
    limits = AnswerLimits(evidence_chars=5_000, passage_chars=2_000)
    chat = Scripted('{"answerable": false}')
    answering(hits, chat, limits=limits).ask(QUESTION, k=20)
    assert len(chat.heard[0][1].text) < 6_000
    assert "=== " in chat.heard[0][1].text


def test_whoever_waits_hears_what_is_going_on(answering: Make) -> None:
    told: list[str] = []
    chat = Scripted(citing(*[("Overtime counts one and a half times.", "every hour counts one and a half times")] * 5))
    answering(HANDBOOK, chat).ask(QUESTION, progress=told.append)
    assert told[:2] == ["searching", f"asking {chat.model}"]
    assert any(line.startswith("writing: ") for line in told)
