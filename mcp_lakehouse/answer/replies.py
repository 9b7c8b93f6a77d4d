"""Reads what a model replied, whatever is around it or wrong with it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mcp_lakehouse.answer.sentences import sentences

_OBJECTS_TRIED = 50
_SENTENCE_CHARS = 2_000
_MARKED = re.compile(r"(?P<text>[^\[]+(?:\[(?!\d)[^\[]*)*)(?P<marks>(?:\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\])+)[.;]?")
_NUMBER = re.compile(r"\d{1,3}")
_OWN_MARK = re.compile(r"\s*\[\s*\d{1,3}(?:\s*,\s*\d{1,3})*\s*\]")
_STATEMENT = re.compile(r"```(?:sql)?\s*(.+?)```|^\s*((?:SELECT|WITH|FROM)\b.+)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence as written, with the passages (from 1) and words it claims to rest on; a quote may be ""."""

    text: str
    cited: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """A written answer before it is checked."""

    answerable: bool
    claims: list[Claim]


def read_reply(text: str) -> Reply | None:
    """The answer in a reply: the JSON asked for, or prose with [n] marks. `None` where it is neither."""
    for value in _objects(text):
        reply = _from_json(value)
        if reply is not None:
            return reply
    return _from_prose(text)


def read_statement(text: str) -> str | None:
    """The SQL statement in a reply; `None` where the model says there is none, or said nothing usable."""
    for value in _objects(text):
        if "statement" in value:
            statement = value["statement"]
            return statement.strip() or None if isinstance(statement, str) else None
    found = _STATEMENT.search(text)
    return (found[1] or found[2]).strip() or None if found else None


def _objects(text: str) -> Iterator[dict[str, object]]:
    decoder = json.JSONDecoder()
    at = text.find("{")
    for _ in range(_OBJECTS_TRIED):
        if at < 0:
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield value
        at = text.find("{", end)


def _from_json(value: dict[str, object]) -> Reply | None:
    listed = value.get("sentences")
    if value.get("answerable") is False:
        return Reply(False, [])
    if not isinstance(listed, list):
        return None
    claims = []
    for each in listed:
        text = each.get("text") if isinstance(each, dict) else each
        if isinstance(text, str) and (cleaned := _clean(text)):
            cited = each.get("citations") if isinstance(each, dict) else None
            claims.append(Claim(cleaned, tuple(_cited(cited))))
    return Reply(True, claims) if claims else None


def _cited(value: object) -> Iterator[tuple[int, str]]:
    for each in value if isinstance(value, list) else []:
        number = each.get("n") if isinstance(each, dict) else each
        quote = each.get("quote", "") if isinstance(each, dict) else ""
        digits = _NUMBER.search(str(number)) if isinstance(number, int | str) else None
        if digits and isinstance(quote, str):
            yield int(digits[0]), quote


def _from_prose(text: str) -> Reply | None:
    if "{" in text:
        return None
    claims: list[Claim] = []
    end = 0
    for match in _MARKED.finditer(text):
        pieces = _split(match["text"])
        numbers = tuple((int(digits), "") for digits in _NUMBER.findall(match["marks"]))
        claims += [Claim(piece, ()) for piece in pieces[:-1]]
        claims += [Claim(piece, numbers) for piece in pieces[-1:]]
        end = match.end()
    if not claims:
        return None
    claims += [Claim(piece, ()) for piece in _split(text[end:])]
    return Reply(True, claims)


def _split(text: str) -> list[str]:
    pieces = (_clean(text[start:stop]) for start, stop in sentences(text, _SENTENCE_CHARS))
    return [piece for piece in pieces if any(c.isalnum() for c in piece)]


def _clean(text: str) -> str:
    return " ".join(_OWN_MARK.sub("", text).split())
