"""Markdown split at its headings, the text as it was written."""

from __future__ import annotations

from collections.abc import Iterator

# The parser is for documents people write; far larger ones are kept as plain text.
_PARSED_CHARS = 8_000_000


def markdown_parts(text: str) -> Iterator[tuple[int | None, str | None, str]]:
    """Sections in order: no page, the path of headings ("A > B"; none before the first), the lines."""
    if len(text) > _PARSED_CHARS:
        yield None, None, text
        return
    front, body = _front_matter(text)
    if front:
        yield None, None, front
    lines = body.splitlines(keepends=True)
    start, path = 0, None
    stack: list[tuple[int, str]] = []
    for line, level, title in _headings(body):
        yield None, path, "".join(lines[start:line])
        stack = [each for each in stack if each[0] < level]
        stack.append((level, title))
        start, path = line, " > ".join(each for _, each in stack if each) or None
    yield None, path, "".join(lines[start:])


def _headings(text: str) -> Iterator[tuple[int, int, str]]:
    """Line (from 0), level and title of each heading that is not inside a list or quote."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(text)
    for place, token in enumerate(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map is not None:
            children = tokens[place + 1].children or []
            title = "".join(" " if child.type.endswith("break") else child.content for child in children)
            yield token.map[0], int(token.tag[1:]), " ".join(title.split())


def _front_matter(text: str) -> tuple[str, str]:
    """YAML between `---` lines at the top, which Markdown itself would take for a heading."""
    if not text.startswith("---\n"):
        return "", text
    stop = text.find("\n---\n", 3)
    return ("", text) if stop < 0 else (text[: stop + 5], text[stop + 5 :])
