"""What of passages fits a reply: long texts share the room fairly, each shown around what was asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from lakehouse_tools.budget import PLAIN_CHARS, ROOMY_CHARS, fitted
from mcp_lakehouse.excerpt import window
from mcp_lakehouse.records import Answer, Json, Passage, SearchResult, to_json

V = TypeVar("V")

# So many hits share one plain budget; more hits get as much each.
_PLAIN_HITS = 10
# Of the room of one hit: what its columns may take. Its text is what was searched.
_COLUMNS_SHARE = 4
# Of the whole room: what the plans and generations of many datasets may take, and an answer's evidence at least.
_PLANS_SHARE = 8
_EVIDENCE_SHARE = 4
_LEAST_TEXT = 60
_MARK_CHARS = 40
_PASSAGE_CHARS = 8_000
_METADATA_CHARS = 200


def hits_chars(k: int) -> int:
    """About how many characters of JSON a reply with so many hits may have."""
    return min(ROOMY_CHARS, PLAIN_CHARS * max(_PLAIN_HITS, k) // _PLAIN_HITS)


def fitted_hits(record: SearchResult, query: str, chars: int) -> SearchResult:
    """The result, its texts and columns cut to about so many characters of JSON; `note` says what was cut."""
    of_hits = [hit.dataset for hit in record.results]
    plan = _first(record.plan, of_hits, chars // _PLANS_SHARE)
    generations = _first(record.generations, [*of_hits, *plan], chars // _PLANS_SHARE)
    room = chars // max(1, len(record.results)) // _COLUMNS_SHARE
    bare = [replace(hit, text="", columns=_columns(hit.columns, room)) for hit in record.results]
    frame = replace(record, results=bare, plan=plan, generations=generations)
    texts = _excerpts([hit.text for hit in record.results], query, chars - _size(frame))
    hits = [replace(hit, text=text) for hit, text in zip(bare, texts, strict=True)]
    notes = []
    cut = sum(hit.text != whole.text for hit, whole in zip(hits, record.results, strict=True))
    if cut:
        notes.append(f"{_counted(cut, 'text')} cut; fetch(id) shows each whole")
    cut = sum(hit.columns != whole.columns for hit, whole in zip(hits, record.results, strict=True))
    if cut:
        notes.append(f"columns of {_counted(cut, 'hit')} cut; columns=[…] chooses, sql shows all")
    if len(plan) < len(record.plan):
        notes.append(f"{len(plan)} of {len(record.plan):,} datasets' plans are shown")
    note = "; ".join([*([record.note] if record.note else []), *notes]) or None
    return replace(frame, results=hits, truncated=record.truncated or bool(notes), note=note)


def fitted_answer(record: Answer, question: str, chars: int = PLAIN_CHARS) -> Answer:
    """The answer with its evidence cut to the room that answer and citations leave."""
    bare = [replace(each, text="") for each in record.evidence]
    room = max(chars // _EVIDENCE_SHARE, chars - _size(replace(record, evidence=bare)))
    texts = _excerpts([each.text for each in record.evidence], question, room)
    evidence = [replace(each, text=text) for each, text in zip(record.evidence, texts, strict=True)]
    cut = sum(each.text != whole.text for each, whole in zip(evidence, record.evidence, strict=True))
    if not cut:
        return record
    note = f"{_counted(cut, 'text')} of evidence cut; fetch(id) shows each whole"
    return replace(record, evidence=evidence, note=f"{record.note}; {note}" if record.note else note)


@fitted.register
def _(record: Passage, chars: int = PLAIN_CHARS) -> Passage:
    """A passage shows its own beginning: whoever opens an id wants to read on, not to be shown around."""
    del chars
    metadata = {
        name: _columns(value, PLAIN_CHARS // _COLUMNS_SHARE) if isinstance(value, dict) else value
        for name, value in record.metadata.items()
    }
    text = record.text[:_PASSAGE_CHARS]
    if len(text) < len(record.text):
        metadata["truncated"] = True
        metadata["note"] = (
            f"{len(text):,} of {len(record.text):,} characters are shown; "
            f"metadata.next is the id of what follows, and sql reads the row whole"
        )
        metadata["next"] = _following(record, len(text))
    return replace(record, text=text, metadata=metadata)


def _following(record: Passage, shown: int) -> str:
    """The id of all characters after those shown, of the same row and version; it is shown in parts too."""
    path, _, fragment = record.id.partition("#")
    parts = dict(part.split("=", 1) for part in fragment.split("&") if "=" in part)
    start = int(parts.get("chars", "0-0").split("-")[0]) + shown
    return f"{path}#chars={start}-{start - shown + len(record.text)}"


def _excerpts(texts: Sequence[str], query: str, room: int) -> list[str]:
    """The texts, cut to a fair share of the room; each at least a few words."""
    granted = _shares([_size(text) for text in texts], room)
    return [_excerpt(text, query, max(_LEAST_TEXT, share)) for text, share in zip(texts, granted, strict=True)]


def _excerpt(text: str, query: str, room: int) -> str:
    """The part of a text that holds the query's words, with marks that tell what is left out."""
    size = _size(text)
    if size <= room:
        return text
    start, end = window(text, query, max(_LEAST_TEXT // 2, (room - _MARK_CHARS) * len(text) // size))
    before = f"[{start:,} characters before] …" if start else ""
    after = f"… [{len(text) - end:,} more characters]" if end < len(text) else ""
    return f"{before}{text[start:end]}{after}"


def _columns(columns: Mapping[str, Json], room: int) -> dict[str, Json]:
    """Columns whose long values are cut to a fair share; the last ones are left out where there are too many."""
    names = list(columns)
    while names and sum(_size(name) + _LEAST_TEXT // 4 for name in names) > max(room, _LEAST_TEXT):
        names.pop()
    sizes = [_size(columns[name]) for name in names]
    granted = _shares(sizes, room - sum(_size(name) for name in names))
    return {
        name: columns[name] if size <= share else _excerpt(_text(columns[name]), "", max(share, _LEAST_TEXT // 2))
        for name, size, share in zip(names, sizes, granted, strict=True)
    }


def _shares(sizes: Sequence[int], total: int) -> list[int]:
    """What each gets of a total: the small ones what they need, the large ones equally much."""
    granted, left = [0] * len(sizes), max(0, total)
    for done, place in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        granted[place] = min(sizes[place], left // (len(sizes) - done))
        left -= granted[place]
    return granted


def _first(values: Mapping[str, V], before: Sequence[str], room: int) -> dict[str, V]:
    """The values of the names that come before, then as many others as fit."""
    kept: dict[str, V] = {}
    for name in dict.fromkeys([*before, *values]):
        if name in values:
            room -= _size(name) + _size(to_json(values[name]))
            if room < 0 and name not in before:
                break
            kept[name] = values[name]
    return kept


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _size(value: object) -> int:
    """Bytes of a value as JSON: scripts beyond Latin cost a model more than a quarter token for each character."""
    return len(json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
