"""The index of one dataset: brings its passages up to a version, builds generations, publishes, rolls back."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_lakehouse import trace
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog.catalog import Dataset, timestamp
from mcp_lakehouse.catalog.listing import folder_of
from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.index.base import Base, BaseBuilder
from mcp_lakehouse.index.composing import bring_up, compose
from mcp_lakehouse.index.embeddings import Embeddings
from mcp_lakehouse.index.generation import Generation, Generations
from mcp_lakehouse.index.held import held_vectors
from mcp_lakehouse.index.keywords import Keywords
from mcp_lakehouse.index.models import Models, OpenEmbedder
from mcp_lakehouse.index.names import leaf
from mcp_lakehouse.index.passages import Known, Passages, make_passages, vectors_by_hash
from mcp_lakehouse.index.recipe import Recipe
from mcp_lakehouse.index.requests import Build, Progress, silent
from mcp_lakehouse.index.rows import Export, RowFiles, Rows
from mcp_lakehouse.index.serving import Serving
from mcp_lakehouse.index.view import Part, View
from mcp_lakehouse.index.wordless import passages_without_vectors, wordless
from mcp_lakehouse.store import Bucket
from mcp_lakehouse.table import DataFile, is_overlay

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mcp_lakehouse.llm.embedder import Embedder

# Below this exact search is as fast, and always right.
GRAPH_FROM = 20_000
# Passages compared one by one until ingest builds anew: so many, or this share of the base.
TAIL_PASSAGES = 20_000
TAIL_SHARE = 0.25
RECALL_GATE = 0.98
_PARTS_KEPT = 4_096


class DatasetIndex:
    """Safe for several threads: a search gets a `View` that nothing changes any more."""

    def __init__(
        self,
        name: str,
        bucket: Bucket,
        *,
        cache: Path,
        read_only: bool,
        embedder: str,
        open_embedder: OpenEmbedder,
        export: Export,
        pinned: Callable[[], int | None],
        generations: bool = True,
    ) -> None:
        """`generations`: whether those serve; without, all passages are compared one by one."""
        self._name = name
        self.bucket = bucket
        self._is_exact = not generations
        self._generations = Generations(bucket)
        is_local = bucket.local_path("") is not None
        self._serving = Serving(name, self._generations, is_local=is_local, pinned=pinned)
        self._folder = cache / folder_of(name)
        self._embeddings = Embeddings(name, bucket, self._folder, read_only=read_only)
        # As set by the user; "" where the lake may choose.
        self._spec = embedder
        self._open_embedder = open_embedder
        self._models = Models(name, embedder, open_embedder)
        self._rows = RowFiles(self._folder / "rows", export)
        self._lock = threading.RLock()
        self._view: View | None = None
        self._view_key: tuple[object, ...] = ()
        self._passages: dict[tuple[str, str], Passages] = {}
        self._keywords: dict[str, Keywords] = {}
        self._base: Base | None = None

    # Reading ----------------------------------------------------------------------------------

    def generation(self) -> Generation | None:
        """The generation that serves, `None` where none was built."""
        return self._serving.generation()

    def embedder(self, recipe: Recipe) -> Embedder:
        """The model for a recipe. Raises `InvalidInput` where the setting and the recipe disagree."""
        return self._models.embedder(recipe)

    def recipe(self, dataset: Dataset) -> Recipe:
        """How this dataset's passages are made now. Raises `InvalidInput` for one without text columns."""
        return self._models.recipe(dataset, self.generation())

    def view(self, dataset: Dataset, *, progress: Progress, cancel: CancelToken) -> View:
        """The passages of a dataset's version; what is not embedded yet is embedded now.

        Where the model is missing or another one they have no vectors, and `embedder(view.recipe)` says why.
        While another thread embeds, the view of an earlier version is given (`view.dataset` says which).
        """
        recipe, generation = self._models.way(dataset, self.generation())
        if self._is_exact:
            generation = None
        snapshot = dataset.snapshot
        key = (snapshot.version, snapshot.updated_at, recipe, generation.number if generation else 0)
        view = self._view
        if view is not None and self._view_key == key and view.whole():
            return view
        # Others may be embedding for a long time; until they are done, the version before is whole and true.
        if not self._lock.acquire(blocking=view is None):
            assert view is not None
            return view
        try:
            if self._view is not None and self._view_key == key and self._view.whole():
                return self._view
            with trace.span("index.refresh", dataset=self._name):
                bring = self._without_vectors if wordless(recipe) else self._with_vectors
                base, passages = bring(dataset, recipe, generation, progress, cancel)
                view = compose(
                    dataset,
                    recipe,
                    base,
                    passages,
                    generation=generation.number if generation is not None else 0,
                    keywords=lambda parts: self._keywords_of(dataset, recipe, parts, cancel),
                )
            self._view, self._view_key = view, key
            return view
        finally:
            self._lock.release()

    def rows(self, dataset: Dataset, file: DataFile, cancel: CancelToken) -> Rows:
        """The rows of one data file of a dataset's version."""
        return self._rows.get(dataset, file, cancel)

    # Writing ----------------------------------------------------------------------------------

    def wants_build(self, dataset: Dataset) -> bool:
        """Whether so much is compared one by one that ingest should build a generation."""
        generation = self.generation()
        if generation is None or list(generation.recipe.text.columns) != dataset.text:
            return True
        view = self._view
        tail = view.total - view.base_count if view is not None else 0
        return tail > TAIL_PASSAGES and tail > TAIL_SHARE * (view.base_count if view else 0)

    @contextlib.contextmanager
    def changing(
        self, newest: Callable[[], Dataset], *, progress: Progress = silent, cancel: CancelToken | None = None
    ) -> Iterator[None]:
        """Searches see the view before until what is changed inside is done and the view of the newest version made.

        Raises `Cancelled` while that is made.
        """
        token = cancel or CancelToken()
        with self._lock:
            yield
            # What fails here is told to whoever searches next.
            with contextlib.suppress(LakehouseError):
                self.view(newest(), progress=progress, cancel=token)
            token.check()

    def build(
        self,
        dataset: Dataset,
        build: Build,
        *,
        newest: Callable[[], Dataset],
        progress: Progress,
        cancel: CancelToken,
    ) -> Generation:
        """Build a generation over a dataset's version, measure it, and publish it if it passes its gate.

        `newest` gives the dataset as it is once the generation is published.
        """
        began = time.perf_counter()
        present = self.generation()
        spec = build.embedder or self._spec or (present.recipe.spec if present is not None else "")
        recipe = Recipe.of(dataset.text, self._open_embedder(spec))
        with self._lock:
            self._catch_up(dataset, recipe, progress, cancel)
            parts = [(file.key, self._passages[recipe.identifier, file.key]) for file in dataset.snapshot.parts]
        builder = BaseBuilder(self._folder, recipe, build.parameters or {}, graph_from=GRAPH_FROM)
        base = builder.build(parts, progress=progress, cancel=cancel)
        measured = base.measured()
        gate = float((build.parameters or {}).get("min_recall", RECALL_GATE))
        passed = measured.recall >= gate
        note = "" if passed else f"not published: recall@10 is {measured.recall:.3f}, the gate is {gate:g}"
        if passed and self._spec and spec != self._spec:
            # Nobody could search it by meaning.
            passed = False
            note = (
                f"not published: it was built with {spec}, and the setting embedder is {self._spec}; "
                f"set LAKEHOUSE_EMBEDDER={spec} and build again"
            )
        made = self._generations.add(
            Generation(
                dataset=self._name,
                number=0,
                version=dataset.snapshot.version,
                recipe=recipe,
                files=tuple(key for key, _ in parts),
                passages=sum(len(passages) for _, passages in parts),
                rows=dataset.snapshot.rows,
                parameters=base.parameters,
                recall_at_10=round(measured.recall, 4),
                p50_ms=round(measured.p50_ms, 3),
                p99_ms=round(measured.p99_ms, 3),
                build_seconds=round(time.perf_counter() - began, 3),
                index_bytes=base.bytes,
                published=passed,
                created_at=timestamp(datetime.now(UTC)),
                who=build.who,
                trace_id=trace.current_trace_id() or "",
                note=note,
            )
        )
        if passed:
            with self.changing(newest):
                self._serving.publish("build_index", made.number, build.who)
                self._base = base
                self._share_vectors(recipe)
        return made

    def rollback(self, who: str) -> tuple[int, int]:
        """Let the generation before the present one serve again; returns (that one, the one before)."""
        return self._serving.rollback(who, self._spec)

    # Inside -----------------------------------------------------------------------------------

    def _with_vectors(
        self, dataset: Dataset, recipe: Recipe, generation: Generation | None, progress: Progress, cancel: CancelToken
    ) -> tuple[Base | None, dict[str, Passages]]:
        base = self._kept_base(generation) if generation is not None else None
        self._catch_up(dataset, recipe, progress, cancel)
        if base is None and generation is not None:
            base = self._made_base(generation, progress, cancel)
        return base, {file.key: self._passages[recipe.identifier, file.key] for file in dataset.snapshot.parts}

    def _without_vectors(
        self, dataset: Dataset, recipe: Recipe, generation: Generation | None, progress: Progress, cancel: CancelToken
    ) -> tuple[None, dict[str, Passages]]:
        made = generation.recipe if generation is not None else recipe
        return None, passages_without_vectors(
            dataset,
            recipe,
            stored=lambda file: self._stored(made, file.key, file.rows),
            rows=lambda file: self.rows(dataset, file, cancel),
            progress=progress,
            cancel=cancel,
        )

    def _catch_up(self, dataset: Dataset, recipe: Recipe, progress: Progress, cancel: CancelToken) -> None:
        """Have the passages of every data file of the version in memory, made where there are none."""
        files = dataset.snapshot.parts
        missing = [file for file in files if (recipe.identifier, file.key) not in self._passages]
        known: Known | None = None
        total, done = float(sum(file.rows for file in missing)), 0
        embedder: Embedder | None = None
        for file in missing:
            cancel.check()
            stored = self._embeddings.get(recipe, file.key, file.rows)
            if stored is None:
                known = self._vectors_of_removed(recipe, files) if known is None else known
                embedder = embedder or self._open_embedder(recipe.spec)

                def report(rows: int, before: int = done) -> None:
                    progress(before + rows, total, "embedding")

                rows = self.rows(dataset, file, cancel)
                texts = rows.texts(recipe.text.columns)
                # What an overlay shadows is still in the files it lies over.
                held = held_vectors(self._passages, recipe) if is_overlay(file.key) else known
                stored = make_passages(texts, embedder, known=held, cancel=cancel, progress=report)
                self._embeddings.put(recipe, file, stored)
            self._passages[recipe.identifier, file.key] = stored
            done += file.rows
        present = {(recipe.identifier, file.key) for file in files}
        for each in [each for each in self._passages if each not in present]:
            del self._passages[each]
        self._rows.keep({file.key for file in files})

    def _vectors_of_removed(self, recipe: Recipe, files: Sequence[DataFile]) -> dict[bytes, NDArray[np.float32]]:
        """Vectors of rows that an upsert, a compaction or a replacement has moved, by the hash of their text."""
        kept = {file.key for file in files}
        gone = [
            passages for (id_, key), passages in self._passages.items() if id_ == recipe.identifier and key not in kept
        ]
        generation = self._serving.last
        if generation is not None and generation.recipe == recipe:
            held = {key for _, key in self._passages}
            for key in generation.files:
                if key not in kept and key not in held:
                    stored = self._embeddings.get(recipe, key, None)
                    if stored is not None:
                        gone.append(stored)
        return vectors_by_hash(gone)

    def _kept_base(self, generation: Generation) -> Base | None:
        """The base of a generation, if this process or this machine has it."""
        builder = BaseBuilder(self._folder, generation.recipe, generation.parameters, graph_from=GRAPH_FROM)
        if self._base is None or self._base.identity != builder.identity(generation.files):
            self._base = builder.open(generation.files)
            self._share_vectors(generation.recipe)
        return self._base

    def _made_base(self, generation: Generation, progress: Progress, cancel: CancelToken) -> Base:
        builder = BaseBuilder(self._folder, generation.recipe, generation.parameters, graph_from=GRAPH_FROM)
        parts = []
        for key in generation.files:
            stored = self._stored(generation.recipe, key)
            # Those of files that the version has no more may be gone; nobody will ask for them.
            if stored is not None:
                parts.append((key, stored))
        self._base = replace(
            builder.build(parts, progress=progress, cancel=cancel), identity=builder.identity(generation.files)
        )
        self._share_vectors(generation.recipe)
        return self._base

    def _stored(self, recipe: Recipe, key: str, rows: int | None = None) -> Passages | None:
        return self._passages.get((recipe.identifier, key)) or self._embeddings.get(recipe, key, rows)

    def _share_vectors(self, recipe: Recipe) -> None:
        """Let what is in the base be held once."""
        for key, passages in self._base.parts if self._base is not None else ():
            self._passages[recipe.identifier, key] = passages

    def _keywords_of(self, dataset: Dataset, recipe: Recipe, parts: Sequence[Part], cancel: CancelToken) -> Keywords:
        identifier = recipe.text.identifier
        if identifier not in self._keywords:
            self._keywords[identifier] = Keywords(self._folder / f"keywords-{identifier}")
        files = {leaf(file.key): file for file in dataset.snapshot.parts}
        bring_up(
            self._keywords[identifier],
            parts,
            lambda name: self.rows(dataset, files[name], cancel),
            recipe.text.columns,
        )
        return self._keywords[identifier]
