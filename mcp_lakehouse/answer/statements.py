"""Questions whose answer is computed: a model writes one statement, the guard lets it pass or not, we word the rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from mcp_lakehouse.answer.asking import Asker, Progress, fenced, prompt, turn
from mcp_lakehouse.answer.limits import AnswerLimits
from mcp_lakehouse.answer.replies import read_statement
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput, NotFound, StatementFailed, StatementRefused
from mcp_lakehouse.records import Answer, DatasetDescription, Json, QueryResult

_COMPUTED = re.compile(
    r"\bhow (?:many|much)\b|\b(?:number|count|sum|total|average|mean|median|share|percentage|proportion|ratio) of\b"
    r"|\b(?:average|median|mean|total|count|sum up|minimum|maximum|min|max|highest|lowest|largest|smallest|biggest"
    r"|oldest|youngest|longest|shortest|cheapest|fewest|most (?:common|frequent|expensive|popular|recent)|least)\b"
    r"|\btop[ -]?\d+\b|\btop (?:two|three|four|five|ten)\b|\b(?:per|for each|by each|group(?:ed)? by)\b"
    r"|\bwhich .{0,60}\bmost\b",
    re.IGNORECASE,
)
_ATTEMPTS = 2


class RunStatement(Protocol):
    """Runs one statement behind the guard."""

    def __call__(self, statement: str, *, detailed: bool, cancel: CancelToken | None) -> QueryResult:
        """As `Lakehouse.sql`."""


def is_computed(question: str) -> bool:
    """Whether the question may ask for what counting, summing or ranking rows gives."""
    return _COMPUTED.search(question) is not None


def computed(
    question: str,
    described: Sequence[DatasetDescription],
    *,
    asker: Asker,
    sql: RunStatement,
    cancel: CancelToken | None,
    progress: Progress,
) -> Answer | None:
    """The answer with its statement; `None` where the model has no statement or none of its attempts ran.

    Raises what the model raises.
    """
    limits = asker.limits
    mark, data = fenced([_schema(each, limits) for each in described])
    messages = prompt("statement", mark, data, question)
    names = {each.name for each in described}
    for _ in range(_ATTEMPTS):
        text = asker.ask(messages, max_tokens=limits.statement_tokens, cancel=cancel, progress=progress)
        statement = read_statement(text)
        if statement is None:
            return None
        progress("running a statement")
        try:
            result = sql(statement, detailed=True, cancel=cancel)
        except (StatementFailed, StatementRefused, NotFound, InvalidInput) as error:
            failed = f"That statement failed: {error}\nReply with a mended one in the same form, or with null."
            messages = [*messages, *turn(text, failed)]
            continue
        if not _rests_on(result, names) or not _says_something(result):
            return None
        return Answer(_worded(result, limits), [], [], asker.model, True, False, statement=statement)
    return None


def _schema(described: DatasetDescription, limits: AnswerLimits) -> str:
    """A dataset as the model sees it: columns with types and ranges, and a few rows."""
    lines = [f'"{described.name}": {described.rows} rows. {described.description}'.strip()]
    for column in described.columns[: limits.described_columns]:
        known = "" if column.min is None else f" from {_cell(column.min, limits)} to {_cell(column.max, limits)}"
        lines.append(f'  "{column.name}" {column.type}{known}')
    rows = described.sample[: limits.sample_rows]
    lines += [f"  row: {' | '.join(_cell(value, limits) for value in row)}" for row in rows]
    return "\n".join(lines)


def _cell(value: Json, limits: AnswerLimits) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= limits.sample_cell_chars else text[: limits.sample_cell_chars] + "…"


def _rests_on(result: QueryResult, names: set[str]) -> bool:
    """Whether the statement read datasets at all, and only those it was meant to."""
    read = set(result.datasets or {})
    return bool(read) and read <= names


def _says_something(result: QueryResult) -> bool:
    return any(value is not None for row in result.rows for value in row)


def _worded(result: QueryResult, limits: AnswerLimits) -> str:
    """The result's rows in words."""
    names = [column.name for column in result.columns]
    where = ", ".join(f"{name} (version {version})" for name, version in sorted((result.datasets or {}).items()))
    if result.row_count == 1:
        pairs = zip(names, result.rows[0], strict=True)
        return f"{'; '.join(f'{name}: {_value(value)}' for name, value in pairs)}. Computed from {where}."
    shown = result.rows[: limits.shown_result_rows]
    lines = []
    for number, row in enumerate(shown, 1):
        first, *others = row
        rest = ", ".join(f"{name}: {_value(value)}" for name, value in zip(names[1:], others, strict=True))
        lines.append(f"{number}. {_value(first)}{f' ({rest})' if rest else ''}")
    more = f" The first {len(shown)} of {result.row_count:,} rows:" if result.row_count > len(shown) else ""
    return f"{names[0]}, computed from {where}.{more}\n" + "\n".join(lines)


def _value(value: Json) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.6g}" if isinstance(value, float) and abs(value) < 1e6 else " ".join(str(value).split())
