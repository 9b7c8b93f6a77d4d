"""Everything a client is shown before it calls anything, as one document.

`python -m tests.mcp.surface` writes it to `surface.json` beside this file. What changes there changes
what every model reads and pays for.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from pydantic import BaseModel

from lakehouse_tools import build_server
from mcp_lakehouse import Lakehouse

FILE = Path(__file__).with_name("surface.json")
UPDATE = "python -m tests.mcp.surface"
# No tokenizer's vocabulary can be had offline: four characters are taken for one token.
CHARS_PER_TOKEN = 4


async def surface() -> dict[str, Any]:
    """The document, from a reader's and an administrator's server over an empty lake."""
    with tempfile.TemporaryDirectory() as folder, Lakehouse.open(Path(folder) / "lake") as lake:
        reader = await _shown(lake, read_only=True)
        administrator = await _shown(lake, read_only=False)
    tools = {who: shown["tools"] for who, shown in (("reader", reader), ("administrator", administrator))}
    return {
        "tokens": {
            "how": f"characters of compact JSON / {CHARS_PER_TOKEN}",
            **{f"tools/list, {who}": _tokens(listed) for who, listed in tools.items()},
            **{f"tool {tool['name']}": _tokens(tool) for tool in tools["administrator"]},
            "instructions": _tokens(administrator["instructions"]),
        },
        "reader": {"tools": [tool["name"] for tool in reader["tools"]], "instructions": reader["instructions"]},
        "administrator": administrator,
    }


def as_text(document: dict[str, Any]) -> str:
    """The document as it is kept: a line for each value, so that a difference is easy to read."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


async def _shown(lake: Lakehouse, *, read_only: bool) -> dict[str, Any]:
    async with Client(build_server(lake, read_only=read_only)) as client:
        return {
            "instructions": client.instructions,
            "capabilities": _plain(client.server_capabilities),
            "tools": [_plain(tool) for tool in (await client.list_tools()).tools],
            "prompts": [_plain(prompt) for prompt in (await client.list_prompts()).prompts],
            "resources": [_plain(each) for each in (await client.list_resources()).resources],
            "resource_templates": [
                _plain(each) for each in (await client.list_resource_templates()).resource_templates
            ],
        }


def _plain(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def _tokens(value: object) -> int:
    return -(-len(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) // CHARS_PER_TOKEN)


if __name__ == "__main__":
    FILE.write_text(as_text(anyio.run(surface)), encoding="utf-8")
    print(f"wrote {FILE}")
