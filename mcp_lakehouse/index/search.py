"""Search: each dataset's candidates by words and by meaning, scored together, the best as hits with citations."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from mcp_lakehouse import trace
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog.catalog import Catalog, Dataset
from mcp_lakehouse.errors import InvalidInput, LakehouseError, NotFound, StatementFailed
from mcp_lakehouse.index.ahead import Ahead
from mcp_lakehouse.index.citation import PassageId
from mcp_lakehouse.index.hits import Hits, check_columns, no_row, place_of
from mcp_lakehouse.index.index import DatasetIndex
from mcp_lakehouse.index.keyword_hits import Spread
from mcp_lakehouse.index.requests import Mode, Progress, Query, at_version, checked, nothing_searchable, silent
from mcp_lakehouse.index.view import Candidates, View
from mcp_lakehouse.limits import SearchLimits
from mcp_lakehouse.records import Passage, SearchResult
from mcp_lakehouse.sql.numbers import Rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mcp_lakehouse.llm.embedder import Embedder

_CONTEXT_CHARS = 300
# The condition that leaves the rows of a version, of those in its files.
_EVERY = "true"
_VERSIONS_SEEN = 4
# What a filter is taken to let pass before there was one.
_USUAL_SHARE = 0.1


_MISSING_COLUMN = re.compile(r'Referenced column ("[^"]*")')


class Matching(Protocol):
    """Rows of a dataset's version that a condition holds for, and whether it will hold for the same ones again."""

    def __call__(
        self, dataset: str, version: int, where: str, *, cancel: CancelToken, meanwhile: Iterator[object] | None
    ) -> tuple[Rows, bool]:
        """`meanwhile`: steps of work to do until they are known."""


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """One dataset's part of a search."""

    dataset: Dataset
    view: View
    embedder: Embedder | None
    candidates: Candidates


@dataclass(frozen=True, slots=True, eq=False)
class _Filter:
    """Which passages pass (bool, one for each of the view), and of how many rows they are."""

    allowed: NDArray[np.bool_]
    rows: int
    # Whether somebody asked for it; if not, the rows are those of the version, of files that hold others too.
    asked: bool


class Searcher:
    """Searches the datasets of one lake."""

    def __init__(
        self,
        catalog: Catalog,
        index_of: Callable[[Dataset], DatasetIndex],
        past_of: Callable[[Dataset], DatasetIndex],
        matching: Matching,
        limits: SearchLimits,
    ) -> None:
        """`past_of`: the index of an older version."""
        self._catalog = catalog
        self._index_of = index_of
        self._past_of = past_of
        self._matching = matching
        self._limits = limits
        self._hits = Hits(index_of, limits)
        self._embedded: OrderedDict[tuple[str, str], NDArray[np.float32]] = OrderedDict()
        self._rows_seen: OrderedDict[tuple[str, int, datetime], Rows] = OrderedDict()
        self._filtered: OrderedDict[tuple[int, str], tuple[View, _Filter]] = OrderedDict()
        # Of the rows that the last filter let pass.
        self._share = _USUAL_SHARE

    def search(self, query: Query, *, progress: Progress, cancel: CancelToken) -> SearchResult:
        """The best `k` passages. Raises `InvalidInput`, `NotFound`, what the filter raises, and `Cancelled`."""
        began = time.perf_counter()
        text, mode = checked(query, self._limits)
        depth = max(self._limits.depth, self._limits.depth_of_a_hit * query.k)
        plan: dict[str, str] = {}
        found: list[tuple[View, _Filter | None, Ahead]] = []
        trouble: LakehouseError | None = None
        datasets = self._datasets(query.datasets)
        # Views of older versions, by what they are called; their indexes go when nobody holds them.
        past, held = dict[int, str](), list[DatasetIndex]()
        for dataset, is_past in datasets:
            cancel.check()
            try:
                index = self._past_of(dataset) if is_past else self._index_of(dataset)
                view = index.view(dataset, progress=progress, cancel=cancel)
                if is_past:
                    held.append(index)
                    past[id(view)] = f"{dataset.name}@{view.dataset.snapshot.version}"
                # Fails here where its model is missing.
                vector = self._vector(view, text, mode)
                where = (query.where or "").strip()
                filtered = bool(where) or view.dataset.snapshot.overlay is not None
                # How rare a word is among several datasets is known when all their views are.
                words = _words(text, mode) if len(datasets) == 1 else ""
                ahead = view.ahead(words, vector, depth, self._share)
                found.append((view, self._filter(view, where, ahead, cancel) if filtered else None, ahead))
            except (StatementFailed, InvalidInput) as error:
                if query.datasets is not None:
                    raise
                # Nobody asked for this one by name: its columns may be others, or its model missing.
                trouble = error
                plan[dataset.name] = f"left out: {_reason(error)}"
        # A word's rarity is that among all that is searched.
        among = sum((view.keywords.spread(text) for view, _, _ in found), Spread(0, {})) if len(found) > 1 else None
        if not found and trouble is not None:
            raise trouble
        while True:
            sources = [self._source(*each, text, mode, among, depth) for each in found]
            best = self._ranked(sources, text, mode, query.k)
            cut = any(source.candidates.cut for source in sources)
            if len(best) == query.k or not cut or depth >= self._limits.greatest_depth:
                break
            # Many of the candidates were passages of the same rows.
            depth *= 4
        names = [past.get(id(source.view), source.dataset.name) for source in sources]
        plan |= {name: source.candidates.plan for name, source in zip(names, sources, strict=True)}
        if query.columns is not None:
            # Before anything is shown; of datasets that nobody named, each shows those it has.
            check_columns(query.columns, [source.dataset for source in sources], every=query.datasets is not None)
        hits = [
            self._hits.hit(source.dataset, source.view.place(position), score, query.columns, cancel)
            for source, position, score in best
        ]
        trace.annotate(mode=mode, k=query.k, hits=len(hits), datasets=len(sources))
        return SearchResult(
            results=hits,
            generations={name: source.view.generation for name, source in zip(names, sources, strict=True)},
            mode=mode,
            plan=plan,
            elapsed_ms=round((time.perf_counter() - began) * 1000, 2),
        )

    def fetch(self, identifier: str, *, cancel: CancelToken) -> Passage:
        """The exact passage an address stands for, from the version it names.

        Where that version was vacuumed, the same text (by its hash) from the newest one. Raises `NotFound` where
        it has none.
        """
        wanted = PassageId.parse(identifier)
        try:
            dataset = self._catalog.get(wanted.dataset, version=wanted.version)
        except NotFound as gone:
            return self._moved(wanted, identifier, gone, cancel)
        if dataset.snapshot.overlay is not None:
            seen = self._seen(dataset, cancel)
            place = place_of(dataset, wanted.row)
            if place is not None and not seen.of_file(place.ordinal, place.file.rows)[place.row]:
                raise no_row(dataset, wanted)
        return self._hits.passage(dataset, wanted, identifier, cancel)

    def _moved(self, wanted: PassageId, identifier: str, gone: NotFound, cancel: CancelToken) -> Passage:
        """The text of an address whose version cannot be read any more. Raises `gone` where it is not there."""
        dataset = self._catalog.get(wanted.dataset)
        if dataset.table.retirement(wanted.version) is None or wanted.digest is None or not dataset.text:
            raise gone
        view = self._index_of(dataset).view(dataset, progress=silent, cancel=cancel)
        place = view.place_of(bytes.fromhex(wanted.digest[: len(wanted.digest) // 2 * 2]))
        if place is None:
            raise NotFound(
                gone.message, hint="the cited text is not in the newest version either; search again"
            ) from None
        now = replace(
            wanted, version=view.dataset.snapshot.version, row=place.row, chunk=None, chars=(place.start, place.end)
        )
        found = self._hits.passage(view.dataset, now, identifier, cancel)
        told = f"{gone.message}; version {now.version} holds the same text"
        return replace(found, metadata={**found.metadata, "cited_as": identifier, "moved": told})

    # Inside -----------------------------------------------------------------------------------

    def _datasets(self, names: Sequence[str] | None) -> list[tuple[Dataset, bool]]:
        """The datasets to search, and whether each is an older version (`name@version`)."""
        if names is not None:
            if not names:
                raise InvalidInput("datasets is an empty list", hint="leave it out to search every searchable dataset")
            return [self._named(*at_version(name)) for name in dict.fromkeys(names)]
        found = [(dataset, False) for dataset in self._catalog.all() if dataset.text]
        if not found:
            raise nothing_searchable(self._catalog.unreadable)
        return found

    def _named(self, name: str, version: int | None) -> tuple[Dataset, bool]:
        newest = self._catalog.get(name)
        if version in (None, newest.snapshot.version):
            return newest, False
        return newest.older(version), True

    def _source(
        self,
        view: View,
        chosen: _Filter | None,
        ahead: Ahead,
        text: str,
        mode: Mode,
        among: Spread | None,
        depth: int,
    ) -> _Source:
        dataset = view.dataset
        embedder = None if mode == "keyword" else self._index_of(dataset).embedder(view.recipe)
        with trace.span("index.search", dataset=dataset.name):
            words = _words(text, mode)
            allowed = chosen.allowed if chosen else None
            candidates = view.candidates(words, ahead.vector, depth=depth, allowed=allowed, among=among, ahead=ahead)
        if chosen is not None and chosen.asked:
            of = f"{chosen.rows:,} of {dataset.snapshot.rows:,} rows match the filter; "
            candidates = replace(candidates, plan=of + candidates.plan)
        return _Source(dataset, view, embedder, candidates)

    def _vector(self, view: View, text: str, mode: Mode) -> NDArray[np.float32] | None:
        """The query's vector by the view's model, which must be there; `None` where vectors are not asked for."""
        if mode == "keyword":
            return None
        embedder = self._index_of(view.dataset).embedder(view.recipe)
        return self._embed(embedder, text) if _telling(text) else None

    def _filter(self, view: View, where: str, ahead: Ahead, cancel: CancelToken) -> _Filter:
        """What a condition lets pass. Versions never change, so most conditions need to be asked once.

        While it is asked, `ahead` goes on.
        """
        key = (id(view), where)
        # The view is kept beside, so that no other one can take its identity meanwhile.
        held = self._filtered.get(key)
        if held is not None:
            return held[1]
        dataset = view.dataset
        version, steps = dataset.snapshot.version, ahead.steps()
        rows, repeatable = self._matching(dataset.name, version, where or _EVERY, cancel=cancel, meanwhile=steps)
        found = _Filter(view.positions_of(rows), len(rows), bool(where))
        self._share = max(found.rows, 1) / max(dataset.snapshot.rows, 1)
        if repeatable:
            self._filtered[key] = (view, found)
            while len(self._filtered) > self._limits.kept_filters:
                self._filtered.popitem(last=False)
        return found

    def _seen(self, dataset: Dataset, cancel: CancelToken) -> Rows:
        """The rows of a version whose files hold others too."""
        key = (dataset.name, dataset.snapshot.version, dataset.snapshot.updated_at)
        found = self._rows_seen.get(key)
        if found is None:
            version = dataset.snapshot.version
            found, _ = self._matching(dataset.name, version, _EVERY, cancel=cancel, meanwhile=None)
            self._rows_seen[key] = found
            while len(self._rows_seen) > _VERSIONS_SEEN:
                self._rows_seen.popitem(last=False)
        return found

    def _embed(self, embedder: Embedder, text: str) -> NDArray[np.float32]:
        key = (embedder.model, text)
        found = self._embedded.get(key)
        if found is None:
            with trace.span("embed.query"):
                found = embedder.embed([text])[0]
            self._embedded[key] = found
            while len(self._embedded) > self._limits.embedded_queries:
                self._embedded.popitem(last=False)
        return found

    def _ranked(self, sources: Sequence[_Source], text: str, mode: Mode, k: int) -> list[tuple[_Source, int, float]]:
        """The best k passages of all sources, in documents the best of each place, in tables one for each row."""
        import numpy as np

        from mcp_lakehouse.index.fusion import score, share_for

        scored: list[NDArray[np.float32]] = []
        order: list[int] = []
        # Cosines of different models do not compare; BM25 of different datasets does.
        best_words = max((float(s.candidates.bm25.max(initial=0)) for s in sources), default=0.0)
        models = {source.embedder.model if source.embedder else "" for source in sources}
        for model in sorted(models):
            group = [i for i, s in enumerate(sources) if (s.embedder.model if s.embedder else "") == model]
            found = [sources[i].candidates for i in group]
            weights = np.array([each.total for each in found], np.float64)
            mean = float(np.average([each.mean_cosine for each in found], weights=weights)) if weights.sum() else 0.0
            embedder = sources[group[0]].embedder
            # A pretended last candidate with the best words of all sources, so that every model's BM25 is on one scale.
            scores = score(
                mode,
                np.append(np.concatenate([each.cosines for each in found]), np.float32(-1)),
                np.append(np.concatenate([each.bm25 for each in found]), np.float32(best_words)),
                mean,
                share_for(text, embedder.share) if embedder else 0.0,
            )[:-1]
            scored.append(scores)
            order += group
        values = np.concatenate(scored)
        cosines = np.concatenate([sources[i].candidates.cosines for i in order])
        positions = np.concatenate([sources[i].candidates.positions for i in order])
        owners = np.repeat(order, [len(sources[i].candidates.positions) for i in order])
        # Scores end at 0, cosines go on.
        ranking = np.lexsort((positions, owners, -cosines, -values))
        best: list[tuple[_Source, int, float]] = []
        rows: set[tuple[int, int]] = set()
        for place in ranking.tolist():
            if len(best) == k:
                break
            i, position, value = int(owners[place]), int(positions[place]), float(values[place])
            source = sources[i]
            if source.dataset.kind != "documents":
                row = (i, source.view.place(position).row)
                if row in rows:
                    continue
                rows.add(row)
            best.append((source, position, value))
        return best


def _words(text: str, mode: Mode) -> str:
    """What keywords are looked for by."""
    return "" if mode == "vector" or not _telling(text) else text


def _telling(text: str) -> bool:
    """Marks alone mean nothing, although a model has a vector for them."""
    return any(map(str.isalnum, text))


def _reason(error: LakehouseError) -> str:
    """Why a dataset was left out, in few words."""
    missing = _MISSING_COLUMN.search(error.message)
    return f"no column {missing[1]}" if missing else error.message.splitlines()[0]
