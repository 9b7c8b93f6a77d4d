"""What the tests of search share: a collection with known answers, and an embedder that counts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.llm.embedder import open_embedder

ANIMALS = {
    "a1": "The otter floats on its back and cracks shellfish with a stone.",
    "a2": "A beaver fells trees with its teeth and dams the stream.",
    "a3": "The swift sleeps on the wing and lands only to nest.",
    "a4": "An octopus changes its colour and slips through the narrowest gap.",
    "a5": "The axolotl grows lost limbs again and never leaves the water.",
    "a6": "A cheetah reaches a hundred kilometres an hour, but only for a short sprint.",
}


def documents(texts: dict[str, str]) -> dict[str, str]:
    """Inline NDJSON with the columns key, note and number."""
    lines = [json.dumps({"key": key, "note": note, "number": n}) for n, (key, note) in enumerate(texts.items())]
    return {"name": "notes.jsonl", "text": "\n".join(lines)}


def fill(lake: Lakehouse, dataset: str, texts: dict[str, str] = ANIMALS, **options: Any) -> None:
    """Load texts into a searchable dataset."""
    lake.ingest(documents(texts), dataset=dataset, text=["note"], **options)


def keys(lake: Lakehouse, query: str, dataset: str, **options: Any) -> list[object]:
    """The keys of the rows found."""
    return [hit.columns["key"] for hit in lake.search(query, datasets=dataset, **options).results]


class Counting:
    """wordllama, with every text it was given on record; `model` may be another's."""

    def __init__(self, model: str | None = None, halt: Callable[[], None] | None = None) -> None:
        from pathlib import Path

        self._inner = open_embedder("wordllama", cache=Path())
        self.texts: list[str] = []
        self.spec = "wordllama"
        self.model = model or self._inner.model
        self.dimensions = self._inner.dimensions
        self.share, self.floor = self._inner.share, self._inner.floor
        self._halt = halt

    def embed(self, texts: Sequence[str], **options: Any) -> NDArray[np.float32]:
        if self._halt is not None:
            self._halt()
        self.texts.extend(texts)
        return self._inner.embed(texts, **options)


def use(lake: Lakehouse, embedder: Counting) -> Counting:
    """Let a lake embed with this one."""
    lake._indexes._embedders[embedder.spec] = embedder
    return embedder
