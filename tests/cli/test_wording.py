"""Hints on the command line name commands and options, although the lake speaks of tools and arguments."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mcp_lakehouse
from cli.conftest import Cli
from mcp_lakehouse.commands.parser import arguments
from mcp_lakehouse.commands.wording import COMMANDS, in_commands

PACKAGE = Path(mcp_lakehouse.__file__).parent
SURFACE = Path(__file__).parents[1] / "mcp" / "surface.json"


def tools() -> list[str]:
    """The names of all tools."""
    return [tool["name"] for tool in json.loads(SURFACE.read_text(encoding="utf-8"))["administrator"]["tools"]]


def is_command(name: str) -> bool:
    """Whether the command line knows a command of that name."""
    try:
        arguments([name, "--help"])
    except SystemExit as end:
        return end.code == 0
    return True


def hints() -> Iterator[str]:
    """What the lake's code gives as hints, as far as it stands in the code."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "hint":
                texts = [each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)]
                yield "".join(text for text in texts if isinstance(text, str))


def test_every_tool_is_a_command_or_has_one(capsys: pytest.CaptureFixture[str]) -> None:
    for name in tools():
        assert is_command(COMMANDS.get(name, name).split()[0]), name
        assert is_command(name) != (name in COMMANDS), name
    capsys.readouterr()


def test_no_hint_names_a_tool_that_is_no_command() -> None:
    told = [in_commands(hint) for hint in hints()]
    assert any("mcp-lakehouse index" in hint for hint in told)
    foreign = re.compile(rf"\b({'|'.join(COMMANDS)})\b")
    assert [hint for hint in told if foreign.search(hint)] == []


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("restore_dataset(dataset='t') brings it back", "mcp-lakehouse restore t brings it back"),
        ("who finds it with list_profiles(profile=…)", "who finds it with mcp-lakehouse profiles PROFILE"),
        ("did you mean a? list_datasets shows all", "did you mean a? mcp-lakehouse datasets shows all"),
        ("build_index(dataset='t', columns=[…]) does it", "mcp-lakehouse index t --column NAME does it"),
        ("build_index(dataset, columns) adds it", "mcp-lakehouse index DATASET --column NAME adds it"),
        ("or mode='replace', with text=[columns]", "or --mode replace, with --text COL,…"),
        ("give key=[columns that identify a row]", "give --key COL,… (columns that identify a row)"),
        ("data comes in through the ingest tool", "data comes in through mcp-lakehouse ingest"),
        ("its columns: key, mode, text", "its columns: key, mode, text"),
    ],
)
def test_a_hint_is_told_in_the_words_of_the_shell(hint: str, shown: str) -> None:
    assert in_commands(hint) == shown


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (["describe", "wrokers"], "did you mean workers? mcp-lakehouse datasets shows all"),
        (["search", "x", "--dataset", "workers"], "mcp-lakehouse index workers --column NAME makes columns searchable"),
        (["index", "workers"], "give --column NAME; those with text: name"),
        (["ingest", "workers.csv", "--mode", "upsert"], "give --key COL,… (columns that identify a row)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_of_the_lake_come_with_such_hints(workers: Cli, call: list[str], told: str) -> None:
    assert f"hint: {told}" in workers(*call, expect=1).stderr


def test_a_dropped_dataset_comes_back_as_its_hint_says(workers: Cli) -> None:
    workers("drop", "workers", "--confirm", "workers")
    hint = workers("describe", "workers", expect=1).stderr.splitlines()[-1]
    assert hint == "hint: mcp-lakehouse restore workers brings it back"
    workers("restore", "workers")
