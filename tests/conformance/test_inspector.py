"""The official Inspector on the command line, over stdio, in both protocol eras."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_lakehouse import Lakehouse
from tests.conformance.node import Node

ERAS = ("legacy", "modern")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspected")
    (folder / "trips.csv").write_text("city,km\nOslo,3\nBergen,5\n")
    with Lakehouse.open(folder / "lake", allow=[folder]) as opened:
        opened.ingest(folder / "trips.csv")
    return folder / "lake"


def inspect(node: Node, lake: Path, era: str, method: str, *arguments: str) -> tuple[int, Any, str]:
    """Exit status, result and standard error of one call to a fresh server."""
    server = [sys.executable, "-m", "mcp_lakehouse", "serve", "--lake", str(lake)]
    done = node.inspector(*server, "--protocol-era", era, "--method", method, *arguments, "--format", "json", "-q")
    assert done.output, done.errors
    return done.status, json.loads(done.output)["result"], done.errors


@pytest.mark.parametrize("era", ERAS)
def test_tools_are_listed_and_the_strict_lint_finds_nothing(node: Node, lake: Path, era: str) -> None:
    status, result, errors = inspect(node, lake, era, "tools/list", "--strict")
    assert (status, errors) == (0, "")
    assert [tool["name"] for tool in result["tools"]][:4] == ["list_datasets", "describe_dataset", "sql", "read_result"]


@pytest.mark.parametrize("era", ERAS)
def test_a_tool_is_called(node: Node, lake: Path, era: str) -> None:
    statement = "statement=SELECT sum(km)::INT AS km FROM trips"
    status, result, _ = inspect(node, lake, era, "tools/call", "--tool-name", "sql", "--tool-arg", statement)
    assert status == 0
    assert result["structuredContent"]["rows"] == [[8]]


def test_an_error_of_a_tool_is_told_as_one(node: Node, lake: Path) -> None:
    statement = "statement=SELECT nothing FROM trips"
    status, result, _ = inspect(node, lake, "modern", "tools/call", "--tool-name", "sql", "--tool-arg", statement)
    assert status == 5
    assert result["isError"] is True


@pytest.mark.parametrize("era", ERAS)
def test_a_resource_is_read(node: Node, lake: Path, era: str) -> None:
    status, result, _ = inspect(node, lake, era, "resources/read", "--uri", "lakehouse://datasets/trips")
    assert status == 0
    assert json.loads(result["contents"][0]["text"])["rows"] == 2


@pytest.mark.parametrize("era", ERAS)
def test_a_prompt_is_filled(node: Node, lake: Path, era: str) -> None:
    name, arguments = ("--prompt-name", "explore_dataset"), ("--prompt-args", "dataset=trips")
    status, result, _ = inspect(node, lake, era, "prompts/get", *name, *arguments)
    assert status == 0
    assert "`trips`" in result["messages"][0]["content"]["text"]
