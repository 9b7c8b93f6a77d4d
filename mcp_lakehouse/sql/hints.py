"""What to try next after an engine error, for the mistakes that people and models make most. Pure text."""

from __future__ import annotations

import re

_AT = re.compile(r"\bat\s*\(", re.IGNORECASE)
_MISSING_COLUMN = re.compile(r'Referenced column "([^"]+)" (?:not found|was not found)')
# Advice to change settings, which readers may not.
_SET_ADVICE = re.compile(r'\s*(?:You can )?(?:Use|use) ["\']?SET [^\n]*')


def message(text: str) -> str:
    """The engine's message without advice that cannot be followed here."""
    return _SET_ADVICE.sub("", text)


def hint(text: str, statement: str) -> str | None:
    """A hint for this message about this statement, if there is one."""
    if "syntax error" in text and _AT.search(statement):
        return (
            "an alias stands before AT: FROM t b AT (VERSION => 3); with DESCRIBE, SUMMARIZE and PIVOT write "
            "(FROM t AT (VERSION => 3))"
        )
    if "syntax error" in text and re.match(r"\s*(describe|summarize)\b", statement, re.IGNORECASE):
        return "write DESCRIBE or SUMMARIZE with a dataset's name or a query: SUMMARIZE FROM result('…')"
    if "Values were not provided for" in text:
        return "give params: a list for ? and $1, an object for $name"
    missing = _MISSING_COLUMN.search(text)
    if missing and f'"{missing[1]}"' in statement:
        return f"double quotes name columns; text stands in single quotes: '{missing[1]}'"
    return None
