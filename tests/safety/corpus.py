"""The two corpora: statements and calls as JSON lines, with places of the fixture filled in.

A text may be a list of parts, each a string or `[string, times]`, so that a statement of megabytes
is one readable line. `${name}` stands for a place of the fixture (a path, a result URI, a version).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Case:
    """One call. `expect` is refused, contained or answered; `rows` and `first` only where they are certain.

    `arguments` are as written; `filled` gives those to call with.
    """

    id: str
    category: str
    tool: str
    arguments: dict[str, Any]
    expect: str
    why: str = ""
    rows: int | None = None
    first: list[Any] | None = None

    def filled(self, places: Mapping[str, str]) -> Case:
        """The same case with repeated parts spelled out and each `${place}` filled in."""
        return replace(self, arguments={name: _fill(value, places) for name, value in self.arguments.items()})


def load(name: str) -> list[Case]:
    """The cases of `hostile.jsonl` or `benign.jsonl`."""
    with (FOLDER / name).open(encoding="utf-8") as lines:
        return [_case(json.loads(line)) for line in lines]


def _case(entry: dict[str, Any]) -> Case:
    if "call" in entry:
        tool, arguments = entry["call"]["tool"], entry["call"]["arguments"]
    else:
        tool, arguments = "sql", {"statement": entry["statement"]}
        if "params" in entry:
            arguments["params"] = entry["params"]
    return Case(
        id=entry["id"],
        category=entry.get("category", "benign"),
        tool=tool,
        arguments=arguments,
        expect=entry.get("expect", "answered"),
        why=entry.get("why", ""),
        rows=entry.get("rows"),
        first=entry.get("first"),
    )


def _fill(value: Any, places: Mapping[str, str]) -> Any:
    """A value with repeated parts spelled out and places filled in."""
    if isinstance(value, str):
        for name, place in places.items():
            value = value.replace("${" + name + "}", place)
        return value
    if isinstance(value, list):
        if any(_is_repeat(part) for part in value) and all(isinstance(part, str) or _is_repeat(part) for part in value):
            return _fill("".join(part if isinstance(part, str) else part[0] * part[1] for part in value), places)
        return [_fill(item, places) for item in value]
    if isinstance(value, dict):
        return {_fill(key, places): _fill(item, places) for key, item in value.items()}
    return value


def _is_repeat(part: Any) -> bool:
    return isinstance(part, list) and len(part) == 2 and isinstance(part[0], str) and type(part[1]) is int


def texts(value: Any) -> Iterator[str]:
    """Every string inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts(item)
