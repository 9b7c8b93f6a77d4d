"""Answers a question from the data: retrieve, quote, write where a model is set, and check every citation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from mcp_lakehouse.answer.asking import Asker, Progress
from mcp_lakehouse.answer.candidates import fact_terms, is_row
from mcp_lakehouse.answer.confidence import SURE_ENOUGH, confidence, stands_beside
from mcp_lakehouse.answer.extracting import asks_for_rows, extractive
from mcp_lakehouse.answer.limits import AnswerLimits
from mcp_lakehouse.answer.reading import Reading, read
from mcp_lakehouse.answer.statements import RunStatement, computed, is_computed
from mcp_lakehouse.answer.words import Words
from mcp_lakehouse.answer.writing import written
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, InvalidInput, LakehouseError
from mcp_lakehouse.records import Answer, DatasetDescription, DatasetList, Hit, SearchResult

if TYPE_CHECKING:
    from mcp_lakehouse.llm.chat import Chat
    from mcp_lakehouse.llm.embedder import Embedder

_NAMED_DATASETS = 5
# Where rows are asked for, so many times k are read.
_ROWS_READ = 3
_SHOWN_QUESTION = 200


class Search(Protocol):
    """Finds passages."""

    def __call__(
        self,
        *,
        query: str,
        datasets: Sequence[str] | None,
        where: str | None,
        k: int,
        mode: str,
        cancel: CancelToken | None,
    ) -> SearchResult:
        """As `Lakehouse.search`."""


def _silent(_message: str) -> None:
    return


class Answering:
    """`ask` answers one question. Any thread may call it at any time.

    `failed` says of a model's error what the caller may know, `shown` of a text.
    """

    def __init__(
        self,
        *,
        search: Search,
        list_datasets: Callable[[], DatasetList],
        describe_dataset: Callable[[str], DatasetDescription],
        sql: RunStatement,
        chat: Chat | None,
        embedder: Callable[[], Embedder],
        failed: Callable[[LakehouseError], str] = lambda error: error.message,
        shown: Callable[[str], str] = str,
        limits: AnswerLimits | None = None,
    ) -> None:
        self._failed = failed
        self._search = search
        self._list_datasets = list_datasets
        self._describe_dataset = describe_dataset
        self._sql = sql
        self._embedder = embedder
        self._limits = limits or AnswerLimits()
        self._asker = Asker(chat, self._limits, shown(chat.model)) if chat else None
        self._words = Words()

    def ask(
        self,
        question: str,
        datasets: Sequence[str] | None = None,
        where: str | None = None,
        k: int = 8,
        *,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
    ) -> Answer:
        """The answer with its citations, or a plain refusal where the data does not hold it.

        Without `datasets` every searchable one is searched; `k` passages are read. A model's failure is no
        error: the answer is then quoted, and its `note` says so. Raises `InvalidInput`, `Cancelled`, and what
        `search` raises.
        """
        self._check(question, k)
        tell = progress or _silent
        note = failed = None
        if self._asker and where is None and is_computed(question):
            answer, note = self._computed(question, datasets, cancel, tell)
            if answer is not None:
                return answer
        tell("searching")
        found, reading = self.read(question, datasets, where, k, cancel=cancel)
        if self._asker and found.results:
            answer, failed = self._written(reading, found, cancel, tell)
            if answer is not None:
                return answer
        return self._extractive(reading, found, k, failed, note)

    def read(
        self,
        question: str,
        datasets: Sequence[str] | None = None,
        where: str | None = None,
        k: int = 8,
        *,
        cancel: CancelToken | None = None,
    ) -> tuple[SearchResult, Reading]:
        """What a search finds for the question, and how it reads against the question. Raises as `ask`."""

        def search(query: str, k: int, mode: str) -> SearchResult:
            return self._search(query=query, datasets=datasets, where=where, k=k, mode=mode, cancel=cancel)

        wants_rows = asks_for_rows(question)
        # The best rows are those that hold most of what was asked, which shows only after reading them.
        found = search(question, min(k * _ROWS_READ, self._limits.passages) if wants_rows is not False else k, "hybrid")
        as_rows = self._are_rows(question, found.results[:k]) if wants_rows is not False else False
        if not as_rows:
            found = replace(found, results=found.results[:k])
        reading = read(
            question,
            found.results,
            words=self._words,
            embedder=self._embedder(),
            holds=lambda word: bool(search(word, 1, "keyword").results),
            limits=self._limits,
            as_rows=as_rows,
            cancel=cancel,
        )
        return found, reading

    def _are_rows(self, question: str, hits: Sequence[Hit]) -> bool:
        """Whether the hits are rows, and, where the question leaves it open, rows whose columns it speaks of."""
        rows = [hit for hit in hits if is_row(hit)]
        if asks_for_rows(question):
            return bool(rows)
        wanted = set(self._words.asked(question))
        return any(wanted & fact_terms(hit, self._words) for hit in rows)

    def _check(self, question: str, k: int) -> None:
        if not any(c.isalnum() for c in question):
            raise InvalidInput("the question is empty", hint="ask something, in words")
        if len(question) > self._limits.question_chars:
            raise InvalidInput(
                f"the question has {len(question):,} characters, at most {self._limits.question_chars:,} are read",
                hint="ask more shortly; ingest long texts instead of sending them as a question",
            )
        if not 1 <= k <= self._limits.passages:
            raise InvalidInput(f"k is {k}; it must be 1 to {self._limits.passages}", hint="8 is a good number")

    def _extractive(
        self, reading: Reading, found: SearchResult, k: int, failed: str | None, note: str | None
    ) -> Answer:
        """Quoted, or refused. `failed` says what the model did, if one was asked."""
        floor = self._embedder().floor
        if confidence(reading, floor) < SURE_ENOUGH:
            return self._refused(reading, found, None, f"{failed}; the data was read without it" if failed else note)
        return extractive(
            reading,
            self._words,
            self._limits,
            lambda best, other: stands_beside(reading, best, other, floor),
            rows=k,
            note=f"{failed}; the answer is quoted from the data" if failed else note,
        )

    def _refused(self, reading: Reading, found: SearchResult, model: str | None, note: str | None) -> Answer:
        """A refusal that says what was searched, and what of the question is nowhere in what was found."""
        searched = sorted(found.generations.keys() | {hit.dataset for hit in found.results})
        text = f"The data does not hold an answer to this question. Searched: {_listed(searched) or 'no dataset'}"
        text += f"; passages read: {len(found.results)}."
        unknown = self._words.spelled(reading.question, reading.unknown)
        if unknown and found.results:
            text += f" Nothing there speaks of {', '.join(unknown)}."
        left_out = sorted(found.plan.keys() - set(searched))
        if left_out:
            text += f" Not searched: {_listed(left_out)}."
        return Answer(text, [], [], model, False, True, note=note)

    def _written(
        self, reading: Reading, found: SearchResult, cancel: CancelToken | None, tell: Progress
    ) -> tuple[Answer | None, str | None]:
        assert self._asker
        model = self._asker.model
        tell(f"asking {model}")
        try:
            answer = written(reading, self._asker, self._words, cancel=cancel, progress=tell)
        except Cancelled:
            raise
        except LakehouseError as error:
            return None, f"{model} failed ({self._failed(error)})"
        if answer is None:
            return None, f"{model} replied with nothing usable"
        return (self._refused(reading, found, model, None) if answer.refused else answer), None

    def _computed(
        self, question: str, datasets: Sequence[str] | None, cancel: CancelToken | None, tell: Progress
    ) -> tuple[Answer | None, str | None]:
        assert self._asker
        tell("looking for a statement")
        names = datasets or [each.name for each in self._list_datasets().datasets]
        try:
            described = [self._describe_dataset(name) for name in names[: self._limits.described_datasets]]
            return computed(question, described, asker=self._asker, sql=self._sql, cancel=cancel, progress=tell), None
        except Cancelled:
            raise
        except LakehouseError as error:
            return None, f"no statement was run ({self._failed(error)})"


def _listed(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - _NAMED_DATASETS} more" if len(names) > _NAMED_DATASETS else ""
    return ", ".join(names[:_NAMED_DATASETS]) + more
