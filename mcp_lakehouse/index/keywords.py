"""Keyword search over passages: BM25 in tantivy, kept in a local folder that may be thrown away at any time.

Every passage is a document of its words and one number, its part's ordinal and its place in the part; every part
is a document of its own (name, ordinal, count), so that parts and passages are committed as one. The folder's
states never change (`states.py`): the library only ever opens files whose digests are right.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from mcp_lakehouse.errors import LakehouseError, StorageFailed
from mcp_lakehouse.index.analysis import ANALYSIS, Analyser
from mcp_lakehouse.index.keyword_hits import (
    NUMBER_BITS,
    SCHEMA,
    Allowed,
    Best,
    Part,
    Reader,
    Spread,
    added,
    fetch,
    first_fetch,
    found,
    read_parts,
    schema,
)
from mcp_lakehouse.index.postings import Postings
from mcp_lakehouse.index.states import State, States

if TYPE_CHECKING:
    import tantivy


_WRITER_BYTES = 64_000_000
# What counts of a query: enough for any question, and a pasted book stays quick.
_QUERY_CHARS = 20_000
_QUERY_WORDS = 256
_OPENING_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class _Writing:
    """Changes that are not committed yet. `parts` are as they will be."""

    writer: tantivy.IndexWriter
    parts: dict[str, Part]
    fresh: Iterator[int]


class Keywords:
    """A keyword index. Threads may share it; several processes may search it while one writes.

    A folder that is damaged, or of another version, is emptied on opening: see `empty`.
    """

    def __init__(self, folder: Path) -> None:
        """Opens `folder` or makes it. Raises `StorageFailed` where it cannot be used."""
        self._folder = folder
        # Held while parts are added, which may take long; searching never waits for it.
        self._changing = threading.RLock()
        self._opening = threading.Lock()
        self._analyser = Analyser()
        self._schema = schema()
        with self._failing("open"):
            self._states = States(folder, {"analysis": ANALYSIS, "schema": SCHEMA, "library": version("tantivy")})
            self._reader = self._opened()
        self._writing: _Writing | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def empty(self) -> bool:
        """Whether no part is committed, as in a new folder and in one that was damaged."""
        return not self.parts()

    def parts(self) -> dict[str, int]:
        """The committed parts, by name, with their numbers of passages."""
        reader = self._current()
        return {name: part.count for name, part in reader.parts.items()} if reader else {}

    def add(self, part: str, texts: Sequence[str]) -> None:
        """All passages of a part, in order; those it had before go. Counts from `commit` on.

        Raises `Conflict` where another process is writing and does not finish, `StorageFailed` where writing fails.
        """
        import tantivy

        with self._changing, self._failing("write"):
            writing = self._begun()
            self._taken_out(writing, part)
            ordinal = next(writing.fresh)
            for number, text in enumerate(texts):
                document = tantivy.Document()
                document.add_text("body", self._analyser.prepare(text))
                document.add_unsigned("part", ordinal)
                document.add_unsigned("key", ordinal << NUMBER_BITS | number)
                writing.writer.add_document(document)
            document = tantivy.Document()
            document.add_text("name", part)
            document.add_unsigned("part", ordinal)
            document.add_unsigned("count", len(texts))
            writing.writer.add_document(document)
            writing.parts[part] = Part(ordinal, len(texts))

    def remove(self, part: str) -> None:
        """Take a part out, if it is there. Counts from `commit` on. Raises as `add`."""
        with self._changing, self._failing("write"):
            if self._writing is None and part not in self.parts():
                return
            self._taken_out(self._begun(), part)

    def commit(self) -> None:
        """Make all changes since the last commit count, at once; without changes, does nothing.

        Raises `StorageFailed`; the last commit counts then.
        """
        with self._changing, self._failing("commit"):
            if self._writing is None:
                return
            self._writing.writer.commit()
            # Merging goes on in the background, and must not once the state is published.
            self._writing.writer.wait_merging_threads()
            self._writing = None
            reader = self._open(self._states.publish())
            with self._opening:
                self._reader = reader

    def spread(self, query: str) -> Spread:
        """How common the query's words are here."""
        reader = self._current()
        if reader is None:
            return Spread(0, {})
        with self._failing("search"):
            words = set(self._analyser.words(query[:_QUERY_CHARS]))
            return Spread(reader.searcher.num_docs, {word: reader.searcher.doc_freq("body", word) for word in words})

    def search(
        self,
        query: str,
        limit: int,
        allowed: Allowed | None = None,
        among: Spread | None = None,
        *,
        share: float = 1.0,
        only: Mapping[str, NDArray[np.int64]] | None = None,
        unread: bool = False,
    ) -> list[tuple[str, int, float]]:
        """The best `limit` passages with any of the query's words: (part, number in the part, BM25), best first.

        Any text is a valid query; one without words finds nothing. A word that occurs twice counts twice.
        `among` says how common words are in all indexes that are searched together, so that scores compare.
        `share` (above 0) is about that of the passages that are allowed; `only` gives their numbers where they are few.
        `unread`: `added` would have been asked, had the words been read.
        """
        with self._failing("search"):
            reader, weights = self._weighed(query, among)
            began = time.perf_counter()
            if reader is None or limit < 1 or not weights:
                return []
            words = self._any_of(weights)
            if only is not None:
                words, allowed = self._among_these(reader, words, only), None
            many = limit if allowed is None else first_fetch(limit, share)
            hits = found(fetch(reader, words, many), limit, allowed)
            if unread:
                reader.postings.paid(list(weights), time.perf_counter() - began)
            return hits

    def best(self, query: str, many: int, among: Spread | None = None) -> Best | None:
        """The best `many` passages, whichever may be found; `None` where there are none."""
        with self._failing("search"):
            reader, weights = self._weighed(query, among)
            return fetch(reader, self._any_of(weights), many) if reader is not None and weights else None

    def reading(self, query: str) -> Iterator[None]:
        """In small steps, read what `added` needs for a query."""
        with self._failing("search"):
            reader, weights = self._weighed(query)
            if reader is not None:
                yield from reader.postings.reading(list(weights))

    def added(
        self,
        query: str,
        limit: int,
        starts: Mapping[str, tuple[int, int]],
        allowed: NDArray[np.bool_],
        among: Spread | None = None,
        *,
        instead_of: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """As `search`, by adding up the scores of each word over the allowed passages: see `keyword_hits.added`.

        `None` where more than `instead_of` passages of words would have to be read for it.
        """
        with self._failing("search"):
            reader, weights = self._weighed(query, among)
            return added(reader, weights, starts, allowed, limit, instead_of) if reader is not None else None

    def close(self) -> None:
        """Drop what was not committed; a second call does nothing. Searching goes on to work."""
        with self._changing:
            self._writing = None
            self._states.abandon()

    def _weighed(self, query: str, among: Spread | None = None) -> tuple[Reader | None, dict[str, float]]:
        """The state that counts, and what the BM25 of each word of the query counts that occurs there, rarest first."""
        reader = self._current()
        if reader is None or not reader.parts:
            return None, {}
        searcher = reader.searcher
        counts = Counter(self._analyser.words(query[:_QUERY_CHARS]))
        spread = {word: searcher.doc_freq("body", word) for word in counts}
        present = sorted((word for word in counts if spread[word]), key=lambda word: (spread[word], word))
        weights = {word: float(counts[word]) for word in present[:_QUERY_WORDS]}
        if among is not None:
            # The library weighs a word by how rare it is here; what counts is how rare it is among all.
            here = Spread(searcher.num_docs, spread)
            weights = {word: weight * among.rarity(word) / here.rarity(word) for word, weight in weights.items()}
        return reader, weights

    def _any_of(self, weights: Mapping[str, float]) -> tantivy.Query:
        import tantivy

        ones = [(self._one(word), weight) for word, weight in weights.items()]
        weighed = [one if weight == 1 else tantivy.Query.boost_query(one, weight) for one, weight in ones]
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, each) for each in weighed])

    def _one(self, word: str) -> tantivy.Query:
        import tantivy

        return tantivy.Query.term_query(self._schema, "body", word, "freq")

    def _among_these(
        self, reader: Reader, words: tantivy.Query, only: Mapping[str, NDArray[np.int64]]
    ) -> tantivy.Query:
        import tantivy

        keys = [
            key
            for part, numbers in only.items()
            if part in reader.parts
            for key in (numbers + (reader.parts[part].ordinal << NUMBER_BITS)).tolist()
        ]
        these = tantivy.Query.const_score_query(tantivy.Query.term_set_query(self._schema, "key", keys), 0.0)
        return tantivy.Query.boolean_query([(tantivy.Occur.Must, words), (tantivy.Occur.Must, these)])

    def _begun(self) -> _Writing:
        if self._writing is None:
            self._states.lock()
            reader = self._current()
            building = self._states.begin(reader.state if reader else None)
            parts = dict(reader.parts) if reader else {}
            first = 1 + max((part.ordinal for part in parts.values()), default=0)
            writer = self._index(building).writer(_WRITER_BYTES, 1)
            self._writing = _Writing(writer, parts, iter(range(first, 1 << 31)))
        return self._writing

    def _taken_out(self, writing: _Writing, part: str) -> None:
        import tantivy

        before = writing.parts.pop(part, None)
        if before is not None:
            # Deletion by term silently does nothing for numbers (tantivy 0.27).
            gone = tantivy.Query.term_query(self._schema, "part", before.ordinal, "basic")
            writing.writer.delete_documents_by_query(gone)

    def _current(self) -> Reader | None:
        """The state that counts now: another process may have published since the last look."""
        with self._opening, self._failing("open"):
            latest = self._states.latest()
            if latest != (self._reader and self._reader.state):
                self._reader = self._opened()
            return self._reader

    def _opened(self) -> Reader | None:
        for _ in range(_OPENING_ATTEMPTS):
            state = self._states.latest()
            if state is None:
                return None
            if self._states.is_whole(state):
                with contextlib.suppress(FileNotFoundError):
                    return self._open(state)
            elif self._states.latest() == state:
                self._states.remove(state)
            # Else it was replaced while we looked.
        return None

    def _open(self, state: State) -> Reader:
        index = self._index(state.path)
        index.reload()
        searcher = index.searcher()
        parts = read_parts(searcher)
        names = {part.ordinal: name for name, part in parts.items()}
        return Reader(state, searcher, parts, names, Postings(searcher, self._one))

    def _index(self, path: Path) -> tantivy.Index:
        import tantivy

        index = tantivy.Index(self._schema, str(path))
        index.register_tokenizer("words", self._analyser.splitter)
        # States do not change, so there is nothing to watch for.
        index.config_reader("manual")
        return index

    @contextlib.contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """The library's errors and panics as ours; a writing that failed is dropped."""
        try:
            yield
        except BaseException as error:
            if what in ("write", "commit"):
                self.close()
            # A panic of the library derives from BaseException, and is not importable.
            panic = type(error).__name__ == "PanicException"
            if isinstance(error, LakehouseError) or not (panic or isinstance(error, Exception)):
                raise
            raise StorageFailed(
                f"cannot {what} the keyword index in {self._folder}: {error}",
                hint="check space and rights there; the folder may be removed, it is made anew",
            ) from error
