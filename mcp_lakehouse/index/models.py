"""Which model a dataset's passages are made with, and what is left where it is missing or another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.errors import InvalidInput, LakehouseError, ModelFailed
from mcp_lakehouse.index.generation import Generation
from mcp_lakehouse.index.recipe import Recipe
from mcp_lakehouse.index.wordless import recipe_without_model, wordless

if TYPE_CHECKING:
    from mcp_lakehouse.llm.embedder import Embedder

OpenEmbedder = Callable[[str], "Embedder"]
_WORDS = "mode='keyword' searches without a model"


class Models:
    """Chooses for one dataset. `spec` is as the user set it, "" where the lake may choose."""

    def __init__(self, name: str, spec: str, open_embedder: OpenEmbedder) -> None:
        self._name = name
        self._spec = spec
        self._open_embedder = open_embedder
        # Why passages have no vectors, where they were made without.
        self._unusable: LakehouseError | None = None

    def embedder(self, recipe: Recipe) -> Embedder:
        """The model for a recipe. Raises `InvalidInput` where the setting and the recipe disagree."""
        unusable = self._unusable
        if wordless(recipe) and unusable is not None:
            raise type(unusable)(unusable.message, hint=unusable.hint)
        rebuild = f"build_index(dataset={self._name!r}) makes a generation with another model"
        if self._spec and self._spec != recipe.spec:
            self._open_embedder(self._spec)  # Says so where there is none of that name.
            raise InvalidInput(
                f"{self._name!r} was indexed with {recipe.spec}, the setting embedder is {self._spec}",
                hint=f"unset LAKEHOUSE_EMBEDDER or set it to {recipe.spec}; or {rebuild}; {_WORDS}",
            )
        found = self._open_embedder(recipe.spec)
        if (found.model, found.dimensions) != (recipe.model, recipe.dimensions):
            raise InvalidInput(
                f"{self._name!r} was indexed with {recipe.model} ({recipe.dimensions} dimensions), "
                f"{recipe.spec} is now {found.model} ({found.dimensions})",
                hint=f"{rebuild}; {_WORDS}",
            )
        return found

    def recipe(self, dataset: Dataset, generation: Generation | None) -> Recipe:
        """How this dataset's passages are made now. Raises `InvalidInput` for one without text columns."""
        if not dataset.text:
            raise InvalidInput(
                f"{dataset.name!r} has no text columns to search",
                hint=f"build_index(dataset={dataset.name!r}, columns=[…]) makes columns searchable",
            )
        if generation is not None and list(generation.recipe.text.columns) == dataset.text:
            self.embedder(generation.recipe)
            return generation.recipe
        return Recipe.of(dataset.text, self._open_embedder(self._spec))

    def way(self, dataset: Dataset, generation: Generation | None) -> tuple[Recipe, Generation | None]:
        """The recipe, and the generation if it holds such passages; without the model, a recipe for words only."""
        try:
            recipe = self.recipe(dataset, generation)
        except (InvalidInput, ModelFailed) as error:
            if not dataset.text:
                raise
            self._unusable = error
            if generation is not None and list(generation.recipe.text.columns) != dataset.text:
                generation = None
            return recipe_without_model(dataset.text, generation), generation
        return recipe, generation if generation is not None and generation.recipe == recipe else None
