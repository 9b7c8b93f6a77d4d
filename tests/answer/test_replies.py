"""What models reply, in every shape they do."""

from __future__ import annotations

import pytest

from answer.fakes import written
from mcp_lakehouse.answer.replies import Claim, Reply, read_reply, read_statement

GOOD = written(("Overtime counts more.", [(1, "counts one and a half times")]))
CLAIM = Claim("Overtime counts more.", ((1, "counts one and a half times"),))


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Sure! Here it is {{as asked}}:\n{GOOD}\nAnything else?",
        GOOD.replace('"n": 1', '"n": "[1]"'),
        GOOD.replace("Overtime counts more.", "Overtime counts more. [1]"),
    ],
)
def test_the_object_is_found_whatever_stands_around_it(text: str) -> None:
    assert read_reply(text) == Reply(True, [CLAIM])


def test_prose_with_marks_is_read_sentence_by_sentence() -> None:
    reply = read_reply("Shifts are long. Overtime counts more [1][2]. Pay is weekly. [3] I think so.")
    assert reply == Reply(
        True,
        [
            Claim("Shifts are long.", ()),
            Claim("Overtime counts more", ((1, ""), (2, ""))),
            Claim("Pay is weekly.", ((3, ""),)),
            Claim("I think so.", ()),
        ],
    )


@pytest.mark.parametrize("text", ['{"answerable": false, "sentences": []}', 'No. {"answerable": false}'])
def test_a_model_may_say_that_it_is_not_there(text: str) -> None:
    assert read_reply(text) == Reply(False, [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "I do not know.",
        GOOD[:-30],
        "{}",
        "[]",
        "null",
        '{"answerable": true}',
        '{"answerable": true, "sentences": []}',
        '{"sentences": "all of them"}',
        '{"sentences": [{"text": ""}, {"text": 5}, null, 7]}',
        "{" * 5_000,
        '{"a":' * 5_000,
    ],
)
def test_what_is_no_answer_is_none(text: str) -> None:
    assert read_reply(text) is None


def test_citations_of_wrong_shapes_are_passed_over() -> None:
    reply = read_reply(
        '{"sentences": [{"text": "A.", "citations": [null, {"n": null, "quote": "x"}, {"n": 2}, 3, {"n": 4, "quote": 5}, {"quote": "y"}]}, "B."]}'
    )
    assert reply == Reply(True, [Claim("A.", ((2, ""), (3, ""))), Claim("B.", ())])


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ('{"statement": "SELECT 1"}', "SELECT 1"),
        ('```json\n{"statement": " SELECT 1 "}\n```', "SELECT 1"),
        ("```sql\nSELECT 1\n```", "SELECT 1"),
        ("SELECT 1", "SELECT 1"),
        ('{"statement": null}', None),
        ('{"statement": 5}', None),
        ('{"statement": ""}', None),
        ("I cannot.", None),
        ("", None),
    ],
)
def test_the_statement_in_a_reply(text: str, statement: str | None) -> None:
    assert read_statement(text) == statement
