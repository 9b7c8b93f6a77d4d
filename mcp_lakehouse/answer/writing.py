"""An answer written by a model from the passages found, every citation of it checked against its source."""

from __future__ import annotations

from mcp_lakehouse.answer.asking import Asker, Progress, fenced, prompt
from mcp_lakehouse.answer.checking import Checker
from mcp_lakehouse.answer.extracting import evidence
from mcp_lakehouse.answer.limits import AnswerLimits
from mcp_lakehouse.answer.reading import Reading
from mcp_lakehouse.answer.replies import read_reply
from mcp_lakehouse.answer.words import Words
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.records import Answer, Hit

UNSUPPORTED = "[unsupported]"


def written(
    reading: Reading, asker: Asker, words: Words, *, cancel: CancelToken | None, progress: Progress
) -> Answer | None:
    """The checked answer; one that is `refused` and empty where the model finds none; `None` for an unusable reply.

    Raises what the model raises.
    """
    limits = asker.limits
    hits, shown = _shown(reading.hits, limits)
    mark, data = fenced(shown)
    messages = prompt("write", mark, data, reading.question)
    reply = read_reply(asker.ask(messages, max_tokens=limits.written_tokens, cancel=cancel, progress=progress))
    if reply is None:
        return None
    model = asker.model
    if not reply.answerable:
        return Answer("", [], [], model, False, True)
    checked = Checker(reading.question, hits, words, limits).check(reply.claims)
    marked = [
        f"{text} {' '.join(f'[{n}]' for n in numbers) if numbers else UNSUPPORTED}" for text, numbers in checked.written
    ]
    unsupported = checked.unsupported
    note = None
    if checked.dropped:
        note = f"{checked.dropped} of the model's citations did not hold and were dropped"
    return Answer(
        answer=("\n" if len(marked) > limits.quoted_sentences else " ").join(marked),
        citations=checked.citations,
        evidence=evidence(checked.used, hits),
        model=model,
        grounded=not unsupported,
        refused=False,
        unsupported=unsupported or None,
        note=note,
    )


def _shown(hits: list[Hit], limits: AnswerLimits) -> tuple[list[Hit], list[str]]:
    """The hits that fit into the model's budget, best first, and each as it is shown: title, columns, text."""
    used, pieces, room = [], [], limits.evidence_chars
    for hit in hits:
        columns = "; ".join(f"{name}: {value}" for name, value in hit.columns.items() if value is not None)
        head = " | ".join(part for part in (f"dataset: {hit.dataset}", hit.title, columns) if part)
        piece = f"{head[: limits.passage_chars // 4]}\n{hit.text[: limits.passage_chars]}"
        if len(piece) > room:
            break
        room -= len(piece)
        used.append(hit)
        pieces.append(piece)
    return used, pieces
