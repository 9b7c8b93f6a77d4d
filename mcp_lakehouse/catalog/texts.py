"""Which columns can be searched for what they say: those that hold text."""

from __future__ import annotations

from collections.abc import Sequence

from mcp_lakehouse.errors import InvalidInput

_NAMED = 20


def is_text(type_: str) -> bool:
    """Whether a column of this type holds text, or lists of it."""
    return type_.replace("[]", "") == "VARCHAR"


def check_text(whose: str, wanted: Sequence[str], columns: Sequence[tuple[str, str]]) -> None:
    """Raise `InvalidInput` where a wanted one of the `columns` (name, type) holds no text, naming those that do."""
    types = dict(columns)
    other = [f"{name!r} ({types[name]})" for name in wanted if not is_text(types[name])]
    if not other:
        return
    texts = [name for name, type_ in columns if is_text(type_)]
    more = f" and {len(texts) - _NAMED:,} more" if len(texts) > _NAMED else ""
    raise InvalidInput(
        f"only text can be searched; {', '.join(other)} of {whose} {'is' if len(other) == 1 else 'are'} none",
        hint=f"columns with text: {', '.join(texts[:_NAMED]) or 'none'}{more}; others can be filtered by where",
    )


def searches_instead(old: Sequence[str], new: Sequence[str]) -> str:
    """What to tell where the searched columns have changed; "" where they have not, or there were none."""
    if not old or list(old) == list(new):
        return ""
    return f"searches {', '.join(new)} instead of {', '.join(old)}"
