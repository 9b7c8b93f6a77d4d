from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from answer.fakes import Scripted, Shelf, Table, description, summary
from mcp_lakehouse.answer.answering import Answering
from mcp_lakehouse.answer.limits import AnswerLimits
from mcp_lakehouse.answer.words import Words
from mcp_lakehouse.llm.wordllama import WordLlama
from mcp_lakehouse.records import DatasetList, Hit


@pytest.fixture(scope="session")
def embedder() -> WordLlama:
    return WordLlama.load()


@pytest.fixture(scope="session")
def words() -> Words:
    return Words()


@pytest.fixture
def answering(embedder: WordLlama) -> Callable[..., Answering]:
    def make(
        hits: Sequence[Hit] | Shelf,
        chat: Scripted | None = None,
        sql: Table | None = None,
        limits: AnswerLimits | None = None,
        datasets: Sequence[str] = ("shifts",),
    ) -> Answering:
        return Answering(
            search=hits if isinstance(hits, Shelf) else Shelf(hits),
            list_datasets=lambda: DatasetList([summary(name) for name in datasets]),
            describe_dataset=description,
            sql=sql or Table(),
            chat=chat,  # type: ignore[arg-type]
            embedder=lambda: embedder,
            limits=limits,
        )

    return make
