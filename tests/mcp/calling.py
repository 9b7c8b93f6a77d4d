"""Calls as a model makes them, and what every reply to one must keep to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jsonschema
from mcp import Client
from mcp_types import CallToolResult, TextContent

from lakehouse_tools.server import LakehouseServer
from mcp_lakehouse import Lakehouse
from tests.in_turn import InTurn

# No tokenizer comes with its vocabulary, so tokens are characters divided by this; measured against
# real vocabularies, compact JSON and tables of numbers take somewhat fewer tokens than that.
CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Served:
    """A lake, two servers of it, each as if it were alone, and the folder they may load from."""

    lake: Lakehouse
    server: LakehouseServer
    other: LakehouseServer
    files: Path

    def put(self, name: str, text: str) -> str:
        """Write a file that may be loaded; returns its path."""
        path = self.files / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    @asynccontextmanager
    async def connected(self, era: str = "auto") -> AsyncIterator[Client]:
        """A client of both servers: what one of them did, the other knows in the next call."""
        async with Client(self.server, mode=era) as one, Client(self.other, mode=era) as other:
            yield cast(Client, InTurn(one, other))


def tokens(text: str) -> int:
    """About how many tokens a text has."""
    return len(text) // CHARS_PER_TOKEN


def text_of(result: CallToolResult) -> str:
    """The one text block of a result."""
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured content of a call that must succeed, checked against the published schema."""
    result = await client.call_tool(tool, arguments)
    text = text_of(result)
    assert not result.is_error, text
    structured = result.structured_content
    assert isinstance(structured, dict)
    schemas = {each.name: each.output_schema for each in (await client.list_tools()).tools}
    jsonschema.validate(structured, schemas[tool] or {"not": {}})
    # Once as data, once as words: never the same JSON in both.
    assert not text.lstrip().startswith("{")
    assert json.dumps(structured, ensure_ascii=False, separators=(",", ":")) not in text
    return structured


async def text(client: Client, tool: str, **arguments: Any) -> str:
    """The text of a call that must succeed."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return text_of(result)


async def error(client: Client, tool: str, **arguments: Any) -> str:
    """The text of a call that must fail: for a model, so short and without the insides of the server."""
    result = await client.call_tool(tool, arguments)
    said = text_of(result)
    assert result.is_error, said
    assert result.structured_content is None
    assert len(said) < 4_100
    for inside in ("Traceback", "pydantic", "Error executing tool", "mcp_lakehouse", "validation error"):
        assert inside not in said
    return said


async def rows(client: Client, statement: str, **rest: Any) -> list[list[Any]]:
    """The rows of a statement that must succeed."""
    found: list[list[Any]] = (await call(client, "sql", statement=statement, **rest))["rows"]
    return found
