"""`search`, `fetch`, `ask` and `index`: text in the lake."""

from __future__ import annotations

import argparse

from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.console import counted, printable, say
from mcp_lakehouse.commands.opening import Opening
from mcp_lakehouse.commands.progress import shown
from mcp_lakehouse.commands.running import interruptible
from mcp_lakehouse.excerpt import window
from mcp_lakehouse.records import Answer, Hit, IndexReport, Passage, SearchResult

_SNIPPET_CHARS = 160
_UNPUBLISHED = 1


def search(args: argparse.Namespace, opening: Opening) -> int:
    """Print the passages nearest to a text."""
    with opening() as lake, shown("search") as progress:
        found = interruptible(
            lambda token: lake.search(
                args.text, args.dataset, args.where, args.k, args.mode, progress=progress, cancel=token
            )
        )
    if args.json:
        show.json_value(found)
        return 0
    if found.results:
        names = {"score": True, "title": False, "text": False, "id": False}
        show.facts(names, [_row(hit, args.text) for hit in found.results])
    _tell_how(found)
    return 0


def fetch(args: argparse.Namespace, opening: Opening) -> int:
    """Print the passage that an id stands for, and where it lies."""
    with opening() as lake:
        found = interruptible(lambda token: lake.fetch(args.id, cancel=token))
    if args.json:
        show.json_value(found)
        return 0
    print(printable(found.text, lines=True))
    _tell_where(found)
    return 0


def ask(args: argparse.Namespace, opening: Opening) -> int:
    """Print an answer and what it cites."""
    with opening() as lake, shown("ask") as progress:
        answer = interruptible(
            lambda token: lake.ask(args.question, args.dataset, args.where, args.k, progress=progress, cancel=token)
        )
    if args.json:
        show.json_value(answer)
    else:
        _tell_answer(answer)
    return 0


def index(args: argparse.Namespace, opening: Opening) -> int:
    """Build and publish a generation of a dataset's index, or go back one; fails when it was not published."""
    if args.rollback:
        with opening() as lake:
            back = lake.rollback_index(args.dataset)
        if args.json:
            show.json_value(back)
        else:
            print(f"{back.dataset}: generation {back.generation} serves again, before it was {back.previous}")
        return 0
    with opening() as lake, shown("index") as progress:
        report = interruptible(
            lambda token: lake.build_index(args.dataset, args.column, args.embedder, progress=progress, cancel=token)
        )
    if args.json:
        show.json_value(report)
    else:
        _tell_built(report)
    return 0 if report.published else _UNPUBLISHED


def _row(hit: Hit, query: str) -> dict[str, object]:
    line = " ".join(hit.text.split())
    start, end = window(line, query, _SNIPPET_CHARS)
    snippet = f"{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}"
    return {"score": f"{hit.score:.2f}", "title": hit.title, "text": snippet, "id": hit.id}


def _tell_how(found: SearchResult) -> None:
    unbuilt = [name for name, generation in found.generations.items() if not generation]
    plans = "".join(
        f"; {printable(name)}{' (no index built yet)' if name in unbuilt else ''}: {printable(plan)}"
        for name, plan in found.plan.items()
    )
    say(f"({counted(len(found.results), 'hit')}; {found.mode}{plans}; {found.elapsed_ms:g} ms)")
    if found.results:
        say("(mcp-lakehouse fetch ID shows one whole)")


def _tell_where(found: Passage) -> None:
    facts = [f"{printable(found.title)}"]
    for name in ("dataset", "version", "row", "page", "lines", "source"):
        if name in found.metadata:
            facts.append(f"{name} {printable(str(found.metadata[name]))}")
    say(f"({', '.join(facts)})")
    if "unchecked" in found.metadata:
        say(f"note: {found.metadata['unchecked']}")


def _tell_answer(answer: Answer) -> None:
    print(printable(answer.answer, lines=True))
    if answer.statement:
        print(f"\ncomputed by\n{printable(answer.statement, lines=True)}")
    if answer.citations:
        print()
    for each in answer.citations:
        print(f'[{each.n}] "{printable(each.quote, lines=True)}"')
        print(f"    {printable(each.id)}")
    for sentence in answer.unsupported or []:
        say(f"without support: {printable(sentence)}")
    by = f"written by {answer.model}" if answer.model else "quoted, no model wrote it"
    say(f"({'refused' if answer.refused else 'grounded' if answer.grounded else 'not grounded'}; {printable(by)})")
    if answer.note:
        say(f"note: {printable(answer.note)}")


def _tell_built(report: IndexReport) -> None:
    became = "is published" if report.published else "is not published"
    facts = f"{counted(report.rows, 'passage')}, recall@10 {report.recall_at_10:g}, {report.build_seconds:g} s"
    print(f"{report.dataset}: generation {report.generation} {became}; {facts}")
    if report.note:
        say(f"note: {printable(report.note)}")
