"""The indexes of one lake: one for each dataset, and what happens to them when data changes."""

from __future__ import annotations

import json
import secrets
import shutil
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog.catalog import Catalog, Dataset
from mcp_lakehouse.catalog.properties import TEXT
from mcp_lakehouse.catalog.texts import check_text, is_text, searches_instead
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.index.generation import Generation, Generations
from mcp_lakehouse.index.requests import Build, Progress
from mcp_lakehouse.index.rows import Export
from mcp_lakehouse.llm.endpoint import without_address
from mcp_lakehouse.marker import user_cache
from mcp_lakehouse.records import IndexDescription, IndexReport, Json, RollbackReport

if TYPE_CHECKING:
    from mcp_lakehouse.index.index import DatasetIndex
    from mcp_lakehouse.llm.embedder import Embedder

# Indexes of older versions, each of which holds all its vectors in memory.
_PAST_KEPT = 2


class Indexes:
    """Gives each dataset its index, made when it is first asked for."""

    def __init__(
        self,
        catalog: Catalog,
        *,
        cache: Path,
        scratch: Path,
        read_only: bool,
        embedder: str,
        export: Export,
        pinned: Callable[[], Mapping[str, int]],
    ) -> None:
        """`pinned`: the generations that serve whatever is published, by dataset; asked anew for each search."""
        self._pinned = pinned
        self._catalog = catalog
        self._cache = cache
        self._scratch = scratch
        self._read_only = read_only
        self._embedder = embedder
        self._export = export
        self._lock = threading.Lock()
        self._indexes: dict[str, DatasetIndex] = {}
        self._past: OrderedDict[tuple[str, int, datetime], DatasetIndex] = OrderedDict()
        self._embedders: dict[str, Embedder] = {}

    def of(self, dataset: Dataset) -> DatasetIndex:
        """The index of a dataset."""
        with self._lock:
            found = self._indexes.get(dataset.name)
            if found is None or found.bucket is not dataset.home.bucket:
                found = self._indexes[dataset.name] = self._opened(dataset, self._cache / "index")
            return found

    def past(self, dataset: Dataset) -> DatasetIndex:
        """That of an older version, made of the passages that are kept for its files; a few stay for a while.

        Its own files go when nobody holds it any more.
        """
        key = dataset.name, dataset.snapshot.version, dataset.snapshot.updated_at
        with self._lock:
            index = self._past.get(key)
            if index is None:
                folder = self._scratch / f"past-{secrets.token_hex(8)}"
                index = self._past[key] = self._opened(dataset, folder, past=True)
                weakref.finalize(index, shutil.rmtree, folder, ignore_errors=True)
            self._past.move_to_end(key)
            while len(self._past) > _PAST_KEPT:
                self._past.popitem(last=False)
            return index

    def _opened(self, dataset: Dataset, cache: Path, *, past: bool = False) -> DatasetIndex:
        from mcp_lakehouse.index.index import DatasetIndex

        name = dataset.name
        return DatasetIndex(
            name,
            dataset.home.bucket,
            cache=cache,
            read_only=self._read_only or past,
            embedder=self._embedder,
            open_embedder=self.embedder,
            export=self._export,
            pinned=lambda: self._pinned().get(name),
            generations=not past,
        )

    def forget(self, name: str) -> None:
        """Hold nothing of a dataset's index in memory any more."""
        with self._lock:
            self._indexes.pop(name, None)
            for key in [key for key in self._past if key[0] == name]:
                del self._past[key]

    def embedder(self, spec: str = "") -> Embedder:
        """The model that `spec` names ("": as set, else the default), opened once."""
        from mcp_lakehouse.llm.embedder import default_spec, open_embedder

        wanted = spec.strip() or self._embedder or default_spec()
        with self._lock:
            if wanted not in self._embedders:
                self._embedders[wanted] = open_embedder(wanted, cache=user_cache() or self._cache)
            return self._embedders[wanted]

    def loaded(self, dataset: Dataset, *, who: str, progress: Progress, cancel: CancelToken) -> str:
        """Make new rows findable; a note where there is something to say. Raises what embedding raises."""
        if not dataset.text or not dataset.snapshot.rows:
            return ""
        index, newest = self.of(dataset), partial(self._catalog.get, dataset.name)
        # A model that is missing or another one is told now, not when somebody searches by meaning.
        index.recipe(dataset)
        view = index.view(dataset, progress=progress, cancel=cancel)
        notes = (
            [index.build(dataset, Build(who=who), newest=newest, progress=progress, cancel=cancel).note]
            if index.wants_build(dataset)
            else []
        )
        empty = dataset.snapshot.rows - view.rows_with_text()
        if empty > dataset.snapshot.rows / 2:
            notes.append(f"{empty:,} of {dataset.snapshot.rows:,} rows have no text in {', '.join(dataset.text)}")
        return "; ".join(filter(None, notes))

    def build(
        self,
        dataset: Dataset,
        build: Build,
        *,
        columns: Sequence[str] | None,
        info: Mapping[str, str],
        progress: Progress,
        cancel: CancelToken,
    ) -> IndexReport:
        """Build and publish a generation over a dataset, whose text columns become `columns` where those are given."""
        before = dataset.text
        index, newest = self.of(dataset), partial(self._catalog.get, dataset.name)
        if columns is not None:
            types = [(column.name, column.type) for column in dataset.snapshot.columns]
            check_text(repr(dataset.name), self._spelled(dataset, columns), types)
            changing = partial(index.changing, newest, progress=progress, cancel=cancel)
            with nullcontext() if build.embedder else changing():
                dataset = self.set_text(dataset, columns, info)
        if not dataset.text:
            texts = [column.name for column in dataset.snapshot.columns if is_text(column.type)]
            raise InvalidInput(
                f"{dataset.name!r} has no text columns to index",
                hint=f"give columns=[…]; those with text: {', '.join(texts[:20]) or 'none'}",
            )
        made = index.build(dataset, build, newest=newest, progress=progress, cancel=cancel)
        return IndexReport(
            dataset=dataset.name,
            generation=made.number,
            rows=made.passages,
            recall_at_10=made.recall_at_10,
            build_seconds=made.build_seconds,
            published=made.published,
            note="; ".join(filter(None, (searches_instead(before, dataset.text), made.note))) or None,
        )

    def set_text(self, dataset: Dataset, columns: Sequence[str], info: Mapping[str, str]) -> Dataset:
        """The dataset with these text columns, in a version of their own where that changes anything."""
        text = self._spelled(dataset, columns)
        if text != dataset.text:
            dataset.writable.set_properties(
                properties={TEXT: json.dumps(text, ensure_ascii=False)},
                info=info,
                at_version=dataset.snapshot.version,
            )
        return self._catalog.get(dataset.name)

    @staticmethod
    def _spelled(dataset: Dataset, columns: Sequence[str]) -> list[str]:
        """The columns as the dataset writes them, each once."""
        known = {column.name.casefold(): column.name for column in dataset.snapshot.columns}
        unknown = [name for name in columns if name.casefold() not in known]
        if unknown or not columns:
            raise InvalidInput(
                f"{dataset.name!r} has no column {unknown[0][:100]!r}" if unknown else "columns is an empty list",
                hint=f"columns: {', '.join(known.values())}"[:2_000],
            )
        return list(dict.fromkeys(known[name.casefold()] for name in columns))

    def rollback(self, dataset: Dataset, who: str, info: Mapping[str, str]) -> RollbackReport:
        """Let the generation before the present one serve again, with the text columns it was built over."""
        index = self.of(dataset)
        with index.changing(partial(self._catalog.get, dataset.name)):
            generation, previous = index.rollback(who)
            older = _generations(dataset).get(dataset.name, generation)
            if older is not None and list(older.recipe.text.columns) != dataset.text:
                self.set_text(dataset, older.recipe.text.columns, info)
        return RollbackReport(dataset=dataset.name, generation=generation, previous=previous)

    def description(self, dataset: Dataset) -> IndexDescription | None:
        """What `describe_dataset` says of the index."""
        generation = self.generation(dataset)
        if generation is None:
            return None
        return IndexDescription(
            generation=generation.number,
            model=without_address(generation.recipe.model),
            dimensions=generation.recipe.dimensions,
            rows=generation.passages,
            recall_at_10=generation.recall_at_10,
        )

    def generation(self, dataset: Dataset) -> Generation | None:
        """The generation that serves a dataset's searches, if it was made for its text columns."""
        if not dataset.text:
            return None
        number = _generations(dataset).current(dataset.name)
        found = None if number is None else _generations(dataset).get(dataset.name, number)
        return found if found is not None and list(found.recipe.text.columns) == dataset.text else None

    # For the system datasets ------------------------------------------------------------------

    def state(self, datasets: Sequence[Dataset]) -> Json:
        """Something that changes with every build and rollback."""
        return [
            [each.name, _generations(each).current(each.name), len(_generations(each).numbers(each.name))]
            for each in datasets
        ]

    def generations_of(self, datasets: Sequence[Dataset]) -> list[list[Json]]:
        """The rows of `system.generations`."""
        rows: list[list[Json]] = []
        for dataset in datasets:
            serving = _generations(dataset).current(dataset.name)
            for each in _generations(dataset).all(dataset.name):
                if each.published:
                    recipe = each.recipe
                    rows.append(
                        [
                            each.dataset, each.number, each.number == serving, each.version,
                            without_address(recipe.model), recipe.dimensions, ", ".join(recipe.text.columns),
                            each.passages, each.recall_at_10, each.created_at, each.who,
                        ]
                    )  # fmt: skip
        return rows

    def trials(self, datasets: Sequence[Dataset]) -> list[list[Json]]:
        """The rows of `system.trials`."""
        return [
            [
                each.dataset, each.number, each.published, each.recipe.model, each.passages,
                json.dumps(dict(each.parameters)) if each.parameters else "exact", each.build_seconds,
                each.recall_at_10, each.p50_ms, each.p99_ms, each.index_bytes, each.note or None, each.created_at,
                each.who, each.trace_id or None,
            ]
            for dataset in datasets
            for each in _generations(dataset).all(dataset.name)
        ]  # fmt: skip

    def operations(self, datasets: Sequence[Dataset]) -> list[list[Json]]:
        """The rows of `system.operations` that publishing and rolling back make; versions are generations there."""
        return [
            [
                each.at, each.who, each.operation, dataset.name, each.previous, each.generation,
                *(None,) * 5, each.trace_id or None,
            ]
            for dataset in datasets
            for each in _generations(dataset).publications(dataset.name)
        ]  # fmt: skip


def _generations(dataset: Dataset) -> Generations:
    return Generations(dataset.home.bucket)
