"""Keyword search over passages: BM25 in tantivy, kept in a local folder that may be thrown away at any time.

Every passage is a document of its words and one number, its part's ordinal and its place in the part; every part
is a document of its own (name, ordinal, count), so that parts and passages are committed as one. The folder's
states never change (`states.py`): the library only ever opens files whose digests are right.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from mcp_lakehouse.errors import LakehouseError, StorageFailed
from mcp_lakehouse.index.analysis import ANALYSIS, Analyser
from mcp_lakehouse.index.states import State, States

if TYPE_CHECKING:
    import tantivy

Allowed = Callable[[str, NDArray[np.int64]], NDArray[np.bool_]]
"""For a part and numbers of passages in it: which of them may be found."""

_WRITER_BYTES = 64_000_000
# What counts of a query: enough for any question, and a pasted book stays quick.
_QUERY_CHARS = 20_000
_QUERY_WORDS = 256
_NUMBER_BITS = 32
_OPENING_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Spread:
    """In how many of `documents` each word occurs."""

    documents: int
    of: Mapping[str, int]

    def __add__(self, other: Spread) -> Spread:
        return Spread(
            self.documents + other.documents,
            {word: self.of.get(word, 0) + other.of.get(word, 0) for word in {*self.of, *other.of}},
        )

    def rarity(self, word: str) -> float:
        """The inverse document frequency of BM25, as the library computes it (Robertson and Sparck Jones)."""
        count = self.of.get(word, 0)
        return math.log(1 + (self.documents - count + 0.5) / (count + 0.5))


@dataclass(frozen=True, slots=True)
class _Part:
    ordinal: int
    count: int


@dataclass(frozen=True, slots=True)
class _Reader:
    """One published state, open."""

    state: State
    searcher: tantivy.Searcher
    parts: Mapping[str, _Part]
    names: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class _Writing:
    """Changes that are not committed yet. `parts` are as they will be."""

    writer: tantivy.IndexWriter
    parts: dict[str, _Part]
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
        self._schema = _schema()
        with self._failing("open"):
            self._states = States(folder, {"analysis": ANALYSIS, "library": version("tantivy")})
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
                document.add_unsigned("key", ordinal << _NUMBER_BITS | number)
                writing.writer.add_document(document)
            document = tantivy.Document()
            document.add_text("name", part)
            document.add_unsigned("part", ordinal)
            document.add_unsigned("count", len(texts))
            writing.writer.add_document(document)
            writing.parts[part] = _Part(ordinal, len(texts))

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
        self, query: str, limit: int, allowed: Allowed | None = None, among: Spread | None = None
    ) -> list[tuple[str, int, float]]:
        """The best `limit` passages with any of the query's words: (part, number in the part, BM25), best first.

        Any text is a valid query; one without words finds nothing. A word that occurs twice counts twice.
        `among` says how common words are in all indexes that are searched together, so that scores compare.
        """
        reader = self._current()
        if reader is None or limit < 1 or not reader.parts:
            return []
        with self._failing("search"):
            words = self._query(reader.searcher, query, among)
            return _found(reader, words, limit, allowed) if words else []

    def close(self) -> None:
        """Drop what was not committed; a second call does nothing. Searching goes on to work."""
        with self._changing:
            self._writing = None
            self._states.abandon()

    def _query(self, searcher: tantivy.Searcher, query: str, among: Spread | None) -> tantivy.Query | None:
        import tantivy

        counts = Counter(self._analyser.words(query[:_QUERY_CHARS]))
        spread = {word: searcher.doc_freq("body", word) for word in counts}
        present = sorted((word for word in counts if spread[word]), key=lambda word: (spread[word], word))
        if not present:
            return None
        clauses = []
        for word in present[:_QUERY_WORDS]:
            clause = tantivy.Query.term_query(self._schema, "body", word, "freq")
            weight = float(counts[word])
            if among is not None:
                # The library weighs a word by how rare it is here; what counts is how rare it is among all.
                weight *= among.rarity(word) / Spread(searcher.num_docs, spread).rarity(word)
            if weight != 1:
                clause = tantivy.Query.boost_query(clause, weight)
            clauses.append((tantivy.Occur.Should, clause))
        return tantivy.Query.boolean_query(clauses)

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

    def _current(self) -> _Reader | None:
        """The state that counts now: another process may have published since the last look."""
        with self._opening, self._failing("open"):
            latest = self._states.latest()
            if latest != (self._reader and self._reader.state):
                self._reader = self._opened()
            return self._reader

    def _opened(self) -> _Reader | None:
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

    def _open(self, state: State) -> _Reader:
        index = self._index(state.path)
        index.reload()
        searcher = index.searcher()
        parts = _read_parts(searcher)
        return _Reader(state, searcher, parts, {part.ordinal: name for name, part in parts.items()})

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


def _schema() -> tantivy.Schema:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("body", tokenizer_name="words", index_option="freq")
    builder.add_unsigned_field("part", indexed=True, stored=True)
    builder.add_unsigned_field("key", fast=True)
    builder.add_text_field("name", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("count", stored=True, fast=True)
    return builder.build()


def _read_parts(searcher: tantivy.Searcher) -> dict[str, _Part]:
    import tantivy

    parts = {}
    for _, address in searcher.search(tantivy.Query.exists_query("count"), max(1, searcher.num_docs), count=False).hits:
        document = searcher.doc(address)
        parts[str(document["name"][0])] = _Part(int(document["part"][0]), int(document["count"][0]))
    return parts


def _found(reader: _Reader, query: tantivy.Query, limit: int, allowed: Allowed | None) -> list[tuple[str, int, float]]:
    """Fetches more and more of the best until enough of them are allowed, or there are no more."""
    total = reader.searcher.num_docs
    want = limit if allowed is None else 4 * limit
    while True:
        want = min(want, total)
        hits = reader.searcher.search(query, want, count=False).hits
        keys = reader.searcher.fast_field_values("key", [address for _, address in hits])
        places = np.array(keys, np.int64)
        ordinals, numbers = places >> _NUMBER_BITS, places & ((1 << _NUMBER_BITS) - 1)
        kept = np.arange(len(hits)) if allowed is None else np.flatnonzero(_mask(reader, ordinals, numbers, allowed))
        if len(kept) >= limit or len(hits) < want or want == total:
            break
        want = max(4 * want, int(1.3 * limit * len(hits) / max(1, len(kept))))
    scores = np.array([score for score, _ in hits], np.float32)
    kept = kept[np.lexsort((numbers[kept], ordinals[kept], -scores[kept]))][:limit]
    return [
        (reader.names[ordinal], number, score)
        for ordinal, number, score in zip(
            ordinals[kept].tolist(), numbers[kept].tolist(), scores[kept].tolist(), strict=True
        )
    ]


def _mask(
    reader: _Reader, ordinals: NDArray[np.int64], numbers: NDArray[np.int64], allowed: Allowed
) -> NDArray[np.bool_]:
    mask = np.zeros(len(ordinals), bool)
    for ordinal in np.unique(ordinals).tolist():
        here = ordinals == ordinal
        mask[here] = allowed(reader.names[ordinal], numbers[here])
    return mask
