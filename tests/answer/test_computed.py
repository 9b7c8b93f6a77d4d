"""Questions that are really SQL: a model writes a statement, the guard decides, the rows are the answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from answer.fakes import HANDBOOK, Scripted, Table, rows
from mcp_lakehouse.answer.answering import Answering
from mcp_lakehouse.answer.statements import is_computed
from mcp_lakehouse.errors import Cancelled, LimitExceeded, StatementFailed, StatementRefused

Make = Callable[..., Answering]

QUESTION = "How many hours did Ann work in total?"
STATEMENT = "SELECT sum(hours) AS hours FROM shifts WHERE worker = 'Ann'"
SAID = json.dumps({"statement": STATEMENT})


def test_a_count_is_computed_and_the_statement_shown(answering: Make) -> None:
    table, chat = Table(rows(["hours"], [4125])), Scripted(SAID)
    answer = answering(HANDBOOK, chat, table).ask(QUESTION)
    assert answer.answer == "hours: 4,125. Computed from shifts (version 3)."
    assert (answer.statement, table.ran) == (STATEMENT, [STATEMENT])
    assert (answer.model, answer.grounded, answer.refused) == (chat.model, True, False)


def test_a_top_is_a_list(answering: Make) -> None:
    table = Table(rows(["worker", "hours"], ["Ann", 12.5], ["Bo", None], ["[1]", True]))
    answer = answering(HANDBOOK, Scripted(SAID), table).ask("Which 3 workers have the most hours?")
    assert answer.answer.splitlines()[1:] == ["1. Ann (hours: 12.5)", "2. Bo (hours: none)", "3. [1] (hours: yes)"]


def test_the_model_sees_the_columns_and_no_more_rows_than_samples(answering: Make) -> None:
    chat = Scripted(SAID)
    answering(HANDBOOK, chat, Table(rows(["hours"], [1]))).ask(QUESTION)
    shown = chat.heard[0][1].text
    assert '"shifts": 10 rows' in shown
    assert '"hours" DOUBLE from 1 to 12' in shown
    assert "row: Ann | 8.0" in shown


def test_a_statement_that_fails_is_mended_once(answering: Make) -> None:
    table = Table(StatementFailed("no column x", hint="columns: hours"), rows(["hours"], [1]))
    chat = Scripted('{"statement": "SELECT x FROM shifts"}', SAID)
    answer = answering(HANDBOOK, chat, table).ask(QUESTION)
    assert answer.statement == STATEMENT
    assert "no column x\nhint: columns: hours" in chat.heard[1][-1].text


@pytest.mark.parametrize(
    "results",
    [
        [StatementRefused("DROP is not read-only"), StatementRefused("DROP is not read-only")],
        [LimitExceeded("the statement took longer than 60 s")],
        [rows(["hours"])],
        [rows(["hours"], [None])],
        [rows(["x"], [42], datasets={})],
        [rows(["x"], [42], datasets={"salaries": 1})],
    ],
    ids=["refused twice", "too long", "no rows", "nothing", "made up", "another dataset"],
)
def test_without_a_result_that_rests_on_the_data_texts_are_read(answering: Make, results: list[object]) -> None:
    chat = Scripted(*[SAID] * (2 if len(results) == 2 else 1), '{"answerable": false}')
    answer = answering(HANDBOOK, chat, Table(*results)).ask(QUESTION)  # type: ignore[arg-type]
    assert answer.statement is None
    assert answer.refused
    assert chat.heard[-1][0].text.startswith("You answer a question from passages")


@pytest.mark.parametrize("reply", ['{"statement": null}', "no idea", NotImplementedError])
def test_a_model_without_a_statement_reads_texts(answering: Make, reply: object) -> None:
    first = LimitExceeded("nothing came for 60 s") if reply is NotImplementedError else str(reply)
    table = Table()
    answer = answering(HANDBOOK, Scripted(first, ""), table).ask("How many hours are in a shift?")
    assert table.ran == []
    assert answer.citations[0].quote == "A shift is six to ten hours."


def test_no_statement_without_a_model(answering: Make) -> None:
    table = Table()
    answering(HANDBOOK, None, table).ask(QUESTION)
    assert table.ran == []


def test_no_statement_where_a_filter_would_be_passed_over(answering: Make) -> None:
    table = Table()
    answering(HANDBOOK, Scripted(""), table).ask(QUESTION, where="page = 1")
    assert table.ran == []


def test_cancelling_a_statement_ends_the_call(answering: Make) -> None:
    with pytest.raises(Cancelled):
        answering(HANDBOOK, Scripted(SAID), Table(Cancelled("the call was cancelled"))).ask(QUESTION)


@pytest.mark.parametrize(
    ("question", "yes"),
    [
        ("How many workers live in IL?", True),
        ("What is the average hourly rate per state?", True),
        ("top 5 agencies by salary", True),
        ("Which agency has the most openings?", True),
        ("Total hours worked in March", True),
        ("Who keeps the licence?", False),
        ("What does the handbook say about overtime?", False),
        ("find me a forklift operator with OSHA-10 in IL", False),
    ],
)
def test_which_questions_are_computed(question: str, yes: bool) -> None:
    assert is_computed(question) is yes
