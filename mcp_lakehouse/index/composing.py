"""Puts a view together from the base of a generation and what came after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.index.base import Base
from mcp_lakehouse.index.block import Block
from mcp_lakehouse.index.keywords import Keywords
from mcp_lakehouse.index.passages import Passages
from mcp_lakehouse.index.recipe import Recipe
from mcp_lakehouse.index.rows import Rows
from mcp_lakehouse.index.view import Part, View


def compose(
    dataset: Dataset,
    recipe: Recipe,
    base: Base | None,
    passages_of: Mapping[str, Passages],
    *,
    generation: int,
    keywords: Callable[[Sequence[Part]], Keywords],
) -> View:
    """The view of a dataset's version: the base of its generation, then what is newer.

    `passages_of` gives the passages of each data file of the version; `keywords` the index that holds these parts.
    """
    files = dataset.snapshot.parts
    ordinals = {file.key: number for number, file in enumerate(files)}
    first_rows = np.concatenate([[0], np.cumsum([file.rows for file in files])])
    parts: list[Part] = []
    start = 0

    def add(key: str, passages: Passages) -> None:
        nonlocal start
        ordinal = ordinals.get(key, -1)
        parts.append(Part(key, ordinal, passages, start, int(first_rows[ordinal]) if ordinal >= 0 else -1))
        start += len(passages)

    for key, passages in base.parts if base is not None else ():
        add(key, passages)
    base_count = start
    based = {part.key for part in parts}
    for file in files:
        if file.key not in based:
            add(file.key, passages_of[file.key])
    fresh = [part.passages.vectors for part in parts if part.key not in based]
    tail = np.concatenate(fresh) if fresh else np.zeros((0, recipe.dimensions), np.float32)
    live = None
    if base is not None and any(part.ordinal < 0 for part in parts):
        live = np.zeros(base_count, np.bool_)
        for part in parts:
            if part.ordinal >= 0 and part.start < base_count:
                live[part.start : part.start + len(part.passages)] = True
    total = start
    summed = tail.sum(axis=0, dtype=np.float64) + (base.mean * base_count if base is not None else 0.0)
    return View(
        dataset=dataset,
        recipe=recipe,
        generation=generation,
        parts=parts,
        base=base.block if base is not None and base_count else None,
        tail=Block(tail, None, None) if len(tail) else None,
        base_count=base_count,
        keywords=keywords([part for part in parts if part.ordinal >= 0]),
        mean=(summed / max(1, total)).astype(np.float32),
        live=live,
    )


def bring_up(keywords: Keywords, parts: Sequence[Part], rows_of: Callable[[str], Rows], columns: Sequence[str]) -> None:
    """Have these parts in a keyword index; others may stay for a while, as taking out costs a commit.

    `rows_of` gives the rows of a data file by the part's name.
    """
    held = keywords.parts()
    missing = [part for part in parts if held.get(part.name) != len(part.passages)]
    for part in missing:
        keywords.add(part.name, _texts(part.passages, rows_of(part.name), columns))
    wanted = {part.name for part in parts}
    stale = [name for name in held if name not in wanted]
    if missing or len(stale) > len(wanted):
        for name in stale:
            keywords.remove(name)
        keywords.commit()


def _texts(passages: Passages, rows: Rows, columns: Sequence[str]) -> list[str]:
    """The texts of all passages of a data file, in order."""
    texts: list[str] = []
    row = 0
    count = len(passages)
    for batch in rows.texts(columns):
        for text in batch:
            while len(texts) < count and passages.rows[len(texts)] == row:
                number = len(texts)
                texts.append(text[passages.starts[number] : passages.ends[number]])
            row += 1
    return texts
