"""`ask` without a model: are the citations the right ones, and does it refuse what the data does not answer?

Its measures of confidence are fitted on half of the questions; everything reported is of the other half.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import ms, table
from benchmarks.questions import COLLECTIONS, PAGES, STORY, Question, collection, folder, labelled, pages
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.answer import confidence
from mcp_lakehouse.answer.answering import Answering
from mcp_lakehouse.answer.confidence import measures
from mcp_lakehouse.answer.reading import Reading
from mcp_lakehouse.llm.embedder import Embedder, open_embedder
from mcp_lakehouse.records import Answer, SearchResult
from mcp_lakehouse.settings import read_settings
from mcp_lakehouse.story.making import make_story

EMBEDDERS = ("wordllama", "minilm")
RESUMES = 1_000
# The dataset beside `PAGES`.
TABLE = "assets"
ALL = (*COLLECTIONS, PAGES, STORY)
# A citation hits where it holds so much of the words that answer.
HIT_SHARE = 0.5
# All of the words where they are so few characters.
SHORT_SPAN = 30
_KINDS = ("judged", "span", "foreign", "named", "near", "removed")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what came of it; `hits` tells for each citation of a `span` question whether it is right."""

    question: Question
    refused: bool
    measures: tuple[float, ...]
    hits: tuple[bool, ...]
    seconds: float


class Recording(Answering):
    """Keeps what was read for the last question."""

    last: tuple[SearchResult, Reading]

    def read(self, *args: Any, **options: Any) -> tuple[SearchResult, Reading]:
        """As `Answering.read`."""
        self.last = super().read(*args, **options)
        return self.last


def run(work: Path) -> str:
    """The Markdown section."""
    if folder() is None:
        return "### Answers\n\nLeft out: LAKEHOUSE_BENCH_DATA names no folder with the collections."
    asked = {spec: measured(spec, work / spec) for spec in EMBEDDERS}
    counts = [each.question.answerable for each in asked[EMBEDDERS[0]]]
    weights = fitted([each for some in asked.values() for each in some])
    return "\n\n".join(
        [
            "### Answers",
            f"Extractive answers over {', '.join(ALL)}: {sum(counts)} questions that the data answers "
            f"(judged queries, and questions written by hand with the words that answer them: span), "
            f"{len(counts) - sum(counts)} that it does not: another collection's questions (foreign), questions about "
            "what is nowhere named (named), questions written by hand about what the documents speak of without "
            "telling it (near), and judged queries whose relevant documents are left out of the search (removed; "
            "what is left is about the same and often answers in part). The weights are fitted on half of them, and "
            "shown are the others. No weight differs by embedder or collection.",
            table(["refused, % of how many", *_KINDS], list(_refusals(asked))),
            "Citations of the questions with known words that answer (a citation is right if it holds at least half "
            "of them, or all where they are few):",
            table(["", "questions", "precision", "recall", "first citation right", "p50, ms"], list(_citations(asked))),
            f"In force: {confidence.WEIGHTS}; fitted by this run: {weights}.",
        ]
    )


def measured(spec: str, work: Path) -> list[Asked]:
    """All labelled questions asked of a lake with this embedder."""
    settings = read_settings({"lake": str(work / "lake"), "embedder": spec, "allow": str(work)}, {})
    embedder = open_embedder(spec, cache=work / "embedder", environment=os.environ)
    with Lakehouse.open(settings=settings) as lake:
        _load(lake, work)
        answering = Recording(
            search=lake.search,
            list_datasets=lake.list_datasets,
            describe_dataset=lake.describe_dataset,
            sql=lake.sql,
            chat=None,
            embedder=lambda: embedder,
        )
        return [_asked(lake, answering, embedder, question) for name in ALL for question in labelled(name)]


def _load(lake: Lakehouse, work: Path) -> None:
    for name in COLLECTIONS:
        path = work / f"{name}.jsonl"
        documents = collection(name).documents.items()
        lines = (json.dumps({"id": id_, "title": title, "text": text}) for id_, (title, text) in documents)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        lake.ingest(path, text=["title", "text"])
    files = work / PAGES
    files.mkdir()
    for name, text in pages().items():
        (files / name).write_text(text, encoding="utf-8")
    lake.ingest([file for file in files.iterdir() if file.suffix != ".csv"], dataset=PAGES)
    lake.ingest(files / f"{TABLE}.csv", text=["model", "remark"])
    make_story(work / "story", workers=3 * RESUMES, resumes=RESUMES, seed=1)
    lake.ingest(work / "story" / f"{STORY}.parquet", text=["resume_text"])


def _asked(lake: Lakehouse, answering: Recording, embedder: Embedder, question: Question) -> Asked:
    where = None
    if question.kind == "removed":
        where = f"id NOT IN ({', '.join(repr(each) for each in sorted(question.relevant))})"
    began = time.perf_counter()
    answer = answering.ask(
        question.text, [question.collection, TABLE] if question.collection == PAGES else [question.collection], where
    )
    seconds = time.perf_counter() - began
    _, reading = answering.last
    return Asked(
        question,
        answer.refused,
        measures(reading, embedder.floor),
        _hits(lake, question, answer),
        seconds,
    )


def _hits(lake: Lakehouse, question: Question, answer: Answer) -> tuple[bool, ...]:
    """Whether each citation holds enough of the words that answer. Every citation is opened."""
    hits = []
    for citation in answer.citations:
        passage = lake.fetch(citation.id)
        if citation.quote not in passage.text:
            raise AssertionError(f"{citation.quote!r} does not stand at {citation.id}")
        share = 1.0 if len(question.span) < SHORT_SPAN else HIT_SHARE
        hits.append(bool(question.span) and _shared(citation.quote.lower(), question.span.lower()) >= share)
    return tuple(hits)


def _shared(quote: str, span: str) -> float:
    """The share of the span that is the longest stretch of it in the quote."""
    longest = 0
    for start in range(len(span)):
        while span[start : start + longest + 1] in quote and start + longest < len(span):
            longest += 1
    return longest / len(span)


def fitted(asked: Sequence[Asked]) -> tuple[float, ...]:
    """`confidence.WEIGHTS` of the fitting half.

    Rows are listed, not told: the story's questions say nothing of what tells.
    """
    half = [each for each in asked if each.question.fitting and each.question.collection != STORY]
    return _regression([each.measures for each in half], [each.question.answerable for each in half])


def _regression(measures: Sequence[tuple[float, ...]], labels: Sequence[bool]) -> tuple[float, ...]:
    """A logistic regression by Newton's method; both classes weigh the same."""
    x = np.column_stack([np.ones(len(measures)), np.array(measures)])
    y = np.array(labels, dtype=np.float64)
    weight = np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean())) / len(y)
    ridge = np.diag([0.0, *[1e-3] * (x.shape[1] - 1)])
    found = np.zeros(x.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-x @ found))
        slope = x.T @ (weight * (y - p)) - ridge @ found
        found += np.linalg.solve((x.T * (weight * p * (1 - p))) @ x + ridge, slope)
    return tuple(round(float(each), 2) for each in found)


def _refusals(asked: dict[str, list[Asked]]) -> Iterator[list[str]]:
    for spec, some in asked.items():
        for name in ALL:
            row = [f"{name}, {spec}"]
            for kind in _KINDS:
                of_kind = [
                    each
                    for each in some
                    if (each.question.collection, each.question.kind) == (name, kind) and not each.question.fitting
                ]
                refused = sum(each.refused for each in of_kind)
                row.append(f"{100 * refused / len(of_kind):.0f} of {len(of_kind)}" if of_kind else "")
            yield row


def _citations(asked: dict[str, list[Asked]]) -> Iterator[list[str]]:
    for spec, some in asked.items():
        spans = [each for each in some if each.question.kind == "span"]
        given = [hit for each in spans for hit in each.hits]
        yield [
            spec,
            str(len(spans)),
            f"{np.mean(given):.2f}",
            f"{np.mean([any(each.hits) for each in spans]):.2f}",
            f"{np.mean([bool(each.hits) and each.hits[0] for each in spans]):.2f}",
            ms(float(np.median([each.seconds for each in some]))),
        ]
