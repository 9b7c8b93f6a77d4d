"""Passages without vectors: what a search by words alone needs where the model is missing or another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.index.chunking import CHUNKING
from mcp_lakehouse.index.generation import Generation
from mcp_lakehouse.index.passages import Passages, make_passages
from mcp_lakehouse.index.recipe import Recipe, TextRecipe
from mcp_lakehouse.index.requests import Progress
from mcp_lakehouse.index.rows import Rows
from mcp_lakehouse.table import DataFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class _NoModel:
    """Gives vectors of no numbers."""

    spec = model = ""
    dimensions = 0
    share = floor = 0.0

    def embed(
        self,
        texts: Sequence[str],
        *,
        cancel: CancelToken | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Float32 (texts, 0)."""
        import numpy as np

        del cancel, progress
        return np.zeros((len(texts), 0), np.float32)

    def close(self) -> None:
        """Nothing is held."""


def wordless(recipe: Recipe) -> bool:
    """Whether passages of this recipe have no vectors."""
    return recipe.dimensions == 0


def recipe_without_model(text: Sequence[str], generation: Generation | None) -> Recipe:
    """The recipe of passages without vectors; it names the model that a generation was made with."""
    if generation is not None:
        return replace(generation.recipe, dimensions=0)
    return Recipe(TextRecipe(tuple(text), CHUNKING), "", "", 0)


def passages_without_vectors(
    dataset: Dataset,
    recipe: Recipe,
    *,
    stored: Callable[[DataFile], Passages | None],
    rows: Callable[[DataFile], Rows],
    progress: Progress,
    cancel: CancelToken,
) -> dict[str, Passages]:
    """The passages of a version by data file; cut anew where none are `stored`, and kept by nobody else."""
    found = {}
    total = float(dataset.snapshot.rows)
    done = 0
    for file in dataset.snapshot.parts:
        cancel.check()
        passages = stored(file)
        if passages is None:

            def report(count: int, before: int = done) -> None:
                progress(before + count, total, "reading")

            passages = make_passages(
                rows(file).texts(recipe.text.columns), _NoModel(), known={}, cancel=cancel, progress=report
            )
        found[file.key] = replace(passages, vectors=passages.vectors[:, :0])
        done += file.rows
    return found
