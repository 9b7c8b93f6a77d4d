from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from mcp_lakehouse.answer.words import Words
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import LakehouseError, StatementFailed
from mcp_lakehouse.llm.chat import Message, Reply
from mcp_lakehouse.records import (
    Column,
    ColumnStatistics,
    DatasetDescription,
    DatasetSummary,
    Hit,
    Json,
    QueryResult,
    SearchResult,
)


def hit(n: int, text: str, *, dataset: str = "notes", title: str = "", **columns: Json) -> Hit:
    identity = f"lakehouse://datasets/{dataset}/v1/rows/{n}#chunk=0"
    return Hit(identity, title, identity, 0.0, text, dataset, columns)


class Shelf:
    """Finds by shared words. `asked` keeps the arguments of each search."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self.hits = list(hits)
        self.asked: list[dict[str, object]] = []
        self._words = Words()

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
        self.asked.append(
            {"query": query, "datasets": datasets, "where": where, "k": k, "mode": mode, "cancel": cancel}
        )
        wanted = set(self._words.terms(query))
        scored = []
        for each in self.hits:
            if datasets is None or each.dataset in datasets:
                shared = len(wanted & set(self._words.terms(f"{each.title} {each.text}"))) / max(1, len(wanted))
                if shared or mode != "keyword":
                    scored.append((shared, each))
        scored.sort(key=lambda pair: -pair[0])
        results = [Hit(h.id, h.title, h.url, score, h.text, h.dataset, h.columns) for score, h in scored[:k]]
        names = {each.dataset for each in self.hits}
        return SearchResult(results, dict.fromkeys(names, 1), mode, dict.fromkeys(names, "exact"), 0.1)


class Scripted:
    """A chat model that says what it was told to, in order; an error is raised. `heard` keeps the messages."""

    model = "openai:scripted@http://127.0.0.1"

    def __init__(self, *replies: str | Callable[[Sequence[Message]], str] | Exception) -> None:
        self._replies = list(replies)
        self.heard: list[list[Message]] = []

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        cancel: CancelToken | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        del max_tokens, cancel
        self.heard.append(list(messages))
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        text = reply if isinstance(reply, str) else reply(messages)
        if on_text:
            for start in range(0, len(text), 50):
                on_text(text[start : start + 50])
        return Reply(text, None, None, "stop")

    def forward(self, body: object, *, cancel: CancelToken | None = None) -> None:
        raise AssertionError(f"not asked for here: {body} {cancel}")


class Table:
    """Answers statements from a script: a result, or an error. `ran` keeps the statements."""

    def __init__(self, *results: QueryResult | LakehouseError) -> None:
        self._results = list(results)
        self.ran: list[str] = []

    def __call__(self, statement: str, *, detailed: bool, cancel: CancelToken | None) -> QueryResult:
        assert detailed
        del cancel
        self.ran.append(statement)
        result = self._results.pop(0) if self._results else StatementFailed("no such thing", hint="nothing")
        if isinstance(result, LakehouseError):
            raise result
        return result


def rows(columns: Sequence[str], *values: list[Json], datasets: dict[str, int] | None = None) -> QueryResult:
    read = {"shifts": 3} if datasets is None else datasets
    return QueryResult([Column(c, "VARCHAR") for c in columns], list(values), len(values), False, 1.0, datasets=read)


def written(*sentences: tuple[str, list[tuple[int, str]]]) -> str:
    """A reply of the shape the model is asked for."""
    listed = [{"text": t, "citations": [{"n": n, "quote": q} for n, q in cited]} for t, cited in sentences]
    return json.dumps({"answerable": True, "sentences": listed})


def summary(name: str) -> DatasetSummary:
    return DatasetSummary(name, "", "table", 10, 2, 1, "2026-03-02T00:00:00Z", False)


def description(name: str) -> DatasetDescription:
    columns = [ColumnStatistics("worker", "VARCHAR", True), ColumnStatistics("hours", "DOUBLE", True, min=1, max=12)]
    return DatasetDescription(name, "hours worked", "table", 3, 10, columns, [["Ann", 8.0]], [])


HANDBOOK = (
    hit(
        0,
        "Everyone who enters a warehouse floor holds an OSHA-10 card or works beside somebody who does. "
        "Forklift operators bring their licence; the site lead keeps a copy.",
        title="handbook.md, Before the first shift",
        source="handbook.md",
    ),
    hit(
        1,
        "A shift is six to ten hours. Above forty hours in a week every hour counts one and a half times.",
        title="handbook.md, Hours",
        source="handbook.md",
    ),
    hit(
        2,
        "Wages are paid every second Friday. A worker who leaves is paid within 72 hours.",
        title="handbook.md, Pay",
        source="handbook.md",
    ),
)
