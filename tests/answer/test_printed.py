"""Quotes where they are printed: exactly as the source holds them."""

from __future__ import annotations

import json

import pytest

from lakehouse_tools.render import text
from mcp_lakehouse.commands.searching import _tell_answer
from mcp_lakehouse.records import Answer, Citation

ID = "lakehouse://datasets/notes/v1/rows/0"


def answer(quote: str) -> Answer:
    return Answer("So it is. [1]", [Citation(1, ID, quote)], [], None, True, False)


@pytest.mark.parametrize("quote", ["Two  spaces | and | bars.", "The fee is\n  not refunded."])
def test_the_command_prints_a_quote_as_its_source_holds_it(quote: str, capsys: pytest.CaptureFixture[str]) -> None:
    _tell_answer(answer(quote))
    assert f'[1] "{quote}"' in capsys.readouterr().out


def test_a_tool_prints_a_quote_of_one_line_as_it_is_and_says_how_it_prints_others() -> None:
    assert f'[1] "Two  spaces." {ID}' in text(answer("Two  spaces."))
    broken = "The fee is\nnot refunded."
    line = next(line for line in text(answer(broken)).splitlines() if line.startswith("[1] (as JSON) "))
    assert json.JSONDecoder().raw_decode(line.removeprefix("[1] (as JSON) "))[0] == broken
