"""What makes embeddings comparable: the model, the columns the text comes from, and how it is cut."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from mcp_lakehouse.llm.embedder import Embedder


@dataclass(frozen=True, slots=True)
class TextRecipe:
    """How rows become passages: the text columns, in their order, and the version of the cutting rules."""

    columns: tuple[str, ...]
    chunking: str

    @property
    def identifier(self) -> str:
        """Twelve hexadecimal digits that name it in paths."""
        return _digest([list(self.columns), self.chunking])

    def text_of(self, row: Mapping[str, object]) -> str:
        """A row's text: its text columns joined by line breaks, nulls left out."""
        return "\n".join(str(row[name]) for name in self.columns if row.get(name) is not None)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A text recipe and the model (identity, as set, dimensions) its passages are embedded with."""

    text: TextRecipe
    spec: str
    model: str
    dimensions: int

    @classmethod
    def of(cls, columns: Sequence[str], embedder: Embedder) -> Self:
        """The recipe for text columns and an embedder."""
        from mcp_lakehouse.index.chunking import CHUNKING

        return cls(TextRecipe(tuple(columns), CHUNKING), embedder.spec, embedder.model, embedder.dimensions)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Self:
        """What `as_json` gave. Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        text = value["text"]
        if not isinstance(text, Mapping):
            raise TypeError("text is not an object")
        columns = tuple(str(each) for each in text["columns"])
        dimensions = value["dimensions"]
        if not isinstance(dimensions, int):
            raise TypeError("dimensions is not a number")
        return cls(TextRecipe(columns, str(text["chunking"])), str(value["spec"]), str(value["model"]), dimensions)

    def as_json(self) -> dict[str, object]:
        """For a manifest."""
        return asdict(self)

    @property
    def identifier(self) -> str:
        """Twelve hexadecimal digits that name it in paths."""
        return _digest([self.text.identifier, self.model, self.dimensions])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()[:12]
