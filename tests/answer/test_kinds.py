"""What kind of value a question asks for, which sentences hold one, and what is refused where none does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from answer.fakes import hit
from mcp_lakehouse.answer.answering import Answering
from mcp_lakehouse.answer.identifiers import identifiers, pattern_of
from mcp_lakehouse.answer.kinds import held, kind_of

Make = Callable[..., Answering]

SITE = (
    hit(
        0,
        "## Yard\nThe yard has 120 bays. Bays are marked in yellow. Trailers may stay overnight. "
        "A lost key costs 12 pounds. Keys are kept by Dana Kowal in the gate house. The yard opens at 6 on weekdays.",
        title="site.md, Site > Yard",
        source="site.md",
        section="Site > Yard",
    ),
    hit(
        1,
        "## Codes\n\n| Code | Meaning |\n|------|------|\n| E10 | bad arguments |\n| E17 | checksum mismatch |\n"
        "| E42 | credentials refused |",
        title="site.md, Site > Codes",
        source="site.md",
        section="Site > Codes",
    ),
    hit(
        2,
        "## Retries\nA failed transfer is tried again. The default number of attempts is 5 and the pause starts at "
        "200 ms. Responses that say so are never retried.",
        title="site.md, Site > Retries",
        source="site.md",
        section="Site > Retries",
    ),
)
TOOLS = (
    hit(
        0,
        "Laser level\nRange 30 m; green beam; bracket included",
        dataset="tools",
        title="Laser level",
        name="Laser level",
        price_eur="239.00",
        supplier="Sintra",
    ),
    hit(
        1,
        "Tape measure\nBlade of coated steel",
        dataset="tools",
        title="Tape measure",
        name="Tape measure",
        price_eur="12.75",
        supplier="Kesstal",
    ),
)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("How many bays does the yard have?", "number"),
        ("What is the default number of attempts?", "number"),
        ("Which port does it listen on?", "number"),
        ("How much does a lost key cost?", "money"),
        ("What is the price of the laser level?", "money"),
        ("By what percentage did it rise?", "percentage"),
        ("How long may trailers stay?", "duration"),
        ("How often is it checked?", "frequency"),
        ("When does the yard open?", "time"),
        ("In which year was it built?", "date"),
        ("Who keeps the keys?", "person"),
        ("Where are the keys kept?", "place"),
        ("What is the phone number of the gate?", "telephone number"),
        ("What is the e-mail address of the clerk?", "e-mail address"),
        ("How strong is the effect?", "size"),
        ("What is the name of the passenger who broke a wrist?", "person"),
        ("What are the names of the two drivers?", "person"),
    ],
)
def test_a_question_asks_for_a_kind_of_value(question: str, name: str) -> None:
    kind = kind_of(question)
    assert kind is not None
    assert kind.name == name


@pytest.mark.parametrize(
    "question",
    [
        "What happens when a transfer fails?",
        "Why are bays yellow?",
        "What date format is used?",
        "Is my phone covered?",
        "What happens if I change my e-mail address?",
        "When I am ill, what should I do?",
        "Does the percentage change?",
        "Explain where the website lives",
        "Is the yard open?",
        "Explain how retries work where the network is slow",
        "Wie viele Tage?",
        "What is the name of the company?",
        "What is the name of the paper?",
    ],
)
def test_other_questions_ask_for_none(question: str) -> None:
    assert kind_of(question) is None


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How many bays are there?", "The yard has 120 bays."),
        ("How many bays are there?", "There are twelve bays."),
        ("How much is the fee?", "The fee is EUR 12.50."),
        ("How much is the fee?", "Members pay ten euros."),
        ("What is the fee?", "The fee is 30."),
        ("What is the salary of the clerk?", "Salary Range From: 62942"),
        ("Which port does the broker use?", "It uses port 1883."),
        ("Who should I ask about pay?", "Write to pay@site.example."),
        ("How much does it cost?", "price_eur: 239.00"),
        ("How long are tokens valid?", "Tokens are valid for 12 hours."),
        ("How long is it hidden?", "visibility: 45s"),
        ("How often is it checked?", "It is checked weekly."),
        ("When is it due?", "It is due on 28 June 2024."),
        ("When does it open?", "It opens at 6 on weekdays."),
        ("When does it close on Fridays?", "It closes at 5 on Fridays."),
        ("Who runs it?", "It is run by Lene Aabye."),
        ("Who showed this?", "it was o. reynolds who showed this"),
        ("What share agreed?", "Two thirds agreed."),
        ("What is the e-mail address?", "Write to a.b@c.example."),
        ("Where is the cache?", "The cache is ~/.kit"),
    ],
)
def test_a_text_holds_the_kind(question: str, text: str) -> None:
    kind = kind_of(question)
    assert kind is not None
    assert held(kind, text) == 1.0


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How many bays are there?", "Bays are described in 2019 under code E17."),
        ("How many bays are there?", "3. Bays are marked on 12 March at 10:30."),
        ("How many of the 120 bays are free?", "The yard has 120 bays."),
        ("How much does the key cost?", "The key has 3 teeth."),
        ("How long does it take?", "It takes place in room 12."),
        ("When was it built?", "It was built by a company with 40 people."),
        ("Who owns the Red Lion?", "The van stops at the Red Lion on Tuesdays in May."),
        ("What is the phone number?", "Call the gate in 2024."),
        ("How many people came?", "People came in 2019 and 2020."),
        ("What percentage was it in 2020?", "It was 12 in 2020."),
    ],
)
def test_a_text_does_not_hold_the_kind_or_only_what_the_question_brought(question: str, text: str) -> None:
    kind = kind_of(question)
    assert kind is not None
    assert held(kind, text) == 0.0


@pytest.mark.parametrize(
    ("question", "quote"),
    [
        ("How many bays does the yard have?", "The yard has 120 bays."),
        ("How much does a lost key cost?", "A lost key costs 12 pounds."),
        ("Who keeps the keys?", "Keys are kept by Dana Kowal in the gate house."),
        ("When does the yard open?", "The yard opens at 6 on weekdays."),
        (
            "What is the default number of attempts?",
            "The default number of attempts is 5 and the pause starts at 200 ms.",
        ),
        ("What does E42 mean?", "| E42 | credentials refused |"),
    ],
)
def test_the_sentence_with_the_value_is_quoted_alone(answering: Make, question: str, quote: str) -> None:
    assert [c.quote for c in answering(SITE).ask(question).citations] == [quote]


@pytest.mark.parametrize(
    "question",
    [
        "How many keys are kept in the gate house?",
        "How much does it cost to stay overnight with a trailer?",
        "What is the phone number of the gate house?",
        "What does E99 mean?",
        "Is E31 retried?",
    ],
)
def test_a_near_miss_is_refused(answering: Make, question: str) -> None:
    answer = answering(SITE).ask(question)
    assert answer.refused
    assert answer.citations == []


def test_a_price_in_a_column_is_told_beside_its_row(answering: Make) -> None:
    answer = answering(TOOLS).ask("How much does the laser level cost?")
    assert not answer.refused
    assert "price_eur: 239.00" in answer.answer
    assert "12.75" not in answer.answer
    assert {c.id for c in answer.citations} == {TOOLS[0].id}


@pytest.mark.parametrize(
    ("question", "codes"),
    [
        ("What does E42 mean?", ["E42"]),
        ("Who holds OSHA-10 and HX-3102?", ["OSHA-10", "HX-3102"]),
        ("How many of the 10kg bags left in mid-2019 on the 3rd?", []),
        ("What is the rate for 2025/26?", []),
        ("What does the Fjell 6 tent weigh?", ["Fjell 6"]),
        ("Is Section 9 about PG-503?", ["PG-503", "Section 9"]),
        ("Are 12 people due on March 3 or in May 2024?", []),
    ],
)
def test_codes_are_told_from_measures(question: str, codes: list[str]) -> None:
    assert identifiers(question) == codes


@pytest.mark.parametrize("text", ["OSHA-10", "an OSHA 10 card", "osha10", "(OSHA_10)"])
def test_a_code_is_found_however_it_is_joined(text: str) -> None:
    assert pattern_of("OSHA-10").search(text)


@pytest.mark.parametrize("text", ["OSHA-100", "OSHA-30", "NOSHA-10", "OSHA"])
def test_another_code_is_not_taken_for_it(text: str) -> None:
    assert not pattern_of("OSHA-10").search(text)


def test_an_item_of_a_list_is_read_with_what_announces_it(answering: Make) -> None:
    page = hit(
        0,
        "Welcome to the pool.\nThe following groups swim free of charge:\n- children under six\n- lifeguards in training\n"
        "- members of the rowing club\nTowels may be rented.",
        source="pool.txt",
    )
    answer = answering([page]).ask("Do members of the rowing club swim free of charge?")
    assert answer.citations[0].quote == "- members of the rowing club"


def test_what_is_told_of_one_model_is_not_told_of_another(answering: Make) -> None:
    tent = hit(
        0, "Fjell 4 is a tent for four. It weighs 4.6 kg.", title="Fjell 4", source="tents.md", section="Fjell 4"
    )
    assert "4.6 kg" in answering([tent]).ask("What does the Fjell 4 tent weigh?").answer
    assert answering([tent]).ask("What does the Fjell 6 tent weigh?").refused


def test_a_price_in_a_column_is_told_where_only_how_much_is_asked(answering: Make) -> None:
    assert "price_eur: 239.00" in answering(TOOLS).ask("How much is the laser level?").answer
