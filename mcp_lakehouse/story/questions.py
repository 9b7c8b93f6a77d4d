"""Questions a staffer asks, and the truth that answers are measured by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from mcp_lakehouse.story.places import STATES


@dataclass(frozen=True, slots=True)
class Question:
    """Who is asked for: a kind of work, a certificate that is valid today, and a state to live in."""

    text: str
    role: str
    certification: str
    state: str


SEED = Question("find me a forklift operator with OSHA-10 in IL", "forklift operator", "OSHA-10", "IL")
_PAIRS = (
    ("forklift operator", "OSHA-10"),
    ("truck driver", "HAZMAT"),
    ("welder", "AWS D1.1"),
    ("dock supervisor", "OSHA-30"),
    ("general laborer", "OSHA-10"),
    ("maintenance technician", "EPA 608"),
    ("line cook", "ServSafe"),
    ("electrician", "OSHA-30"),
)
_STATES = ("IL", "IN", "OH", "TX")
_ASKED = (
    "find me a {role} with {certification} in {state}",
    "who in {place} is a {role} and holds a valid {certification}?",
    "{role}, {certification}, {place}",
    "I need a {role} with current {certification} near our site in {place}",
)


def questions() -> list[Question]:
    """The seed's question, and others like it in several wordings."""
    asked = [
        Question(
            _ASKED[number % len(_ASKED)].format(
                role=role, certification=certification, state=state, place=STATES[state].name
            ),
            role,
            certification,
            state,
        )
        for number, ((role, certification), state) in enumerate(product(_PAIRS, _STATES))
    ]
    return [SEED, *(question for question in asked if question.text != SEED.text)]


def lacks(question: Question, person: Mapping[str, object]) -> list[str]:
    """What of a question a person does not satisfy, of `role`, `certification` and `state`; empty for who does.

    `person` is a row of `workers` or `resumes`. A certificate that has run out is none, and a higher one
    (OSHA-30 where OSHA-10 was asked for) is another one.
    """
    held = str(person["certifications"] or "").split("; ")
    checks = {
        "role": person["role"] == question.role,
        "certification": question.certification in held,
        "state": person["state"] == question.state,
    }
    return [name for name, holds in checks.items() if not holds]


def expected(question: Question, people: Iterable[Mapping[str, object]]) -> frozenset[str]:
    """The `worker_id`s of those who satisfy a question wholly."""
    return frozenset(str(person["worker_id"]) for person in people if not lacks(question, person))
