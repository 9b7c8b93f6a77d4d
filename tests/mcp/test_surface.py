"""What every client is shown stays as it is in `surface.json`, and within its budget."""

from __future__ import annotations

import difflib
import json

import pytest

from tests.mcp.surface import FILE, UPDATE, as_text, surface

pytestmark = pytest.mark.anyio

# What there is so far may take: federation, memory and agents follow, and 2,500 and 6,000 are the end of it.
READER_TOKENS = 2_300
ADMINISTRATOR_TOKENS = 5_000
# Some clients cut longer ones.
DESCRIPTION_CHARS = 1_024


async def test_the_surface_is_the_one_that_was_agreed_on() -> None:
    kept, found = FILE.read_text(encoding="utf-8"), as_text(await surface())
    changed = "\n".join(difflib.unified_diff(kept.splitlines(), found.splitlines(), "kept", "found", lineterm=""))
    assert not changed, f"what clients are shown has changed:\n{changed}\n\nIf that is meant: {UPDATE}"


async def test_the_tools_cost_no_more_than_their_share() -> None:
    tokens = json.loads(FILE.read_text(encoding="utf-8"))["tokens"]
    assert tokens["tools/list, reader"] <= READER_TOKENS
    assert tokens["tools/list, administrator"] <= ADMINISTRATOR_TOKENS


async def test_descriptions_are_short_and_say_something_of_their_own() -> None:
    shown = json.loads(FILE.read_text(encoding="utf-8"))["administrator"]
    descriptions = [each["description"] for kind in ("tools", "prompts", "resources") for each in shown[kind]]
    assert len(set(descriptions)) == len(descriptions)
    assert all(20 <= len(description) <= DESCRIPTION_CHARS for description in descriptions)
    assert len(shown["instructions"]) <= DESCRIPTION_CHARS
