"""The readable text of an HTML page, split at its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_NOISE = "script, style, noscript, template, nav, iframe, svg, canvas, object, button, select, dialog"
# What surrounds the content of a page that does not mark it with <main>.
_SURROUNDINGS = "body > aside"
# Where addresses and opening hours stand; read last.
_FOOTER = "body > footer"
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    "address article aside blockquote body caption dd details div dl dt fieldset figcaption figure footer form header "
    "hr li main ol p pre section summary table tbody tfoot thead tr ul br".split()
)
# In a page with more tables, the others are read without looking for their headers.
_TABLES = 2_000
_SPACES = re.compile(r"[ \t\n\r\f\u00a0]+")


def html_parts(text: str) -> Iterator[tuple[int | None, str | None, str]]:
    """Sections in order: no page, the path of headings (the page's title before the first), their text."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(text)
    title = tree.css_first("title")
    name = " ".join(title.text().split()) if title is not None else ""
    for node in tree.css(f"{_NOISE}, [hidden], [aria-hidden=true]"):
        node.decompose()
    mains = tree.css("main")
    if len(mains) != 1:
        for node in tree.css(_SURROUNDINGS):
            node.decompose()
    root = mains[0] if len(mains) == 1 else tree.body
    if root is None:
        return
    footers = tree.css(_FOOTER)
    last = [part for footer in footers for part in _sections(footer, name or None)]
    for footer in footers:
        footer.decompose()
    yield from _sections(root, name or None)
    yield from last


def _sections(root: LexborNode, title: str | None) -> Iterator[tuple[int | None, str | None, str]]:
    stack: list[tuple[int, str]] = []
    headers = _header_rows(root)
    path, out = title, _Text()
    heading: _Text | None = None
    for node, entering in _walk(root):
        level = _HEADINGS.get(node.tag or "")
        if level is not None and entering:
            yield None, path, out.value()
            out, heading = _Text(), _Text()
        elif level is not None and heading is not None:
            name = " ".join(heading.value().split())
            stack = [each for each in stack if each[0] < level]
            stack.append((level, name))
            path = " > ".join(each for _, each in stack if each) or title
            out.line()
            out.add(name)
            out.line()
            heading = None
        else:
            _render(node, heading or out, headers, entering=entering)
    yield None, path, out.value()


def _header_rows(root: LexborNode) -> dict[int, int]:
    """The row that names the columns, of each table that has one; both by their identity.

    It is marked as such, or says nothing with a digit where rows below do. Tables in tables are for the layout.
    """
    found = {}
    for table in root.css("table")[:_TABLES]:
        rows = table.css("tr")
        cells = _cells(rows[0]) if rows else []
        if len(rows) < 2 or len(cells) < 2 or table.css_first("table table, h1, h2, h3, h4, h5, h6, pre, li"):
            continue
        named = [any(map(str.isdigit, cell.text())) for cell in cells]
        marked = rows[0].css_matches("thead tr") or all(cell.tag == "th" for cell in cells)
        below = any(any(map(str.isdigit, cell.text())) for row in rows[1:] for cell in _cells(row))
        if marked or (not any(named) and below and not table.css_first("th")):
            found[table.mem_id] = rows[0].mem_id
    return found


def _cells(row: LexborNode) -> list[LexborNode]:
    return [node for node in row.iter() if node.tag in ("td", "th")]


def _render(node: LexborNode, out: _Text, headers: dict[int, int], *, entering: bool) -> None:
    tag = node.tag or ""
    if tag == "table" and node.mem_id in headers:
        out.line(blank=not entering)
        out.header = headers[node.mem_id] if entering else None
    elif out.header is not None:
        _render_row(node, out, entering=entering)
    elif node.is_text_node:
        if entering:
            out.add(node.text_content or "", kept=out.inside_pre)
    elif tag == "pre":
        out.line()
        out.inside_pre = entering
    elif tag in ("td", "th"):
        if not entering and node.next is not None:
            out.add(" | ", kept=True)
    elif tag == "li" and entering:
        out.line()
        out.add("- ", kept=True)
    elif tag == "img" and entering:
        out.add(node.attributes.get("alt") or "")
    elif tag in _BLOCKS:
        out.line(blank=tag in ("p", "table", "ul", "ol", "blockquote", "section", "article") and not entering)


def _render_row(node: LexborNode, out: _Text, *, entering: bool) -> None:
    """Inside a table with a header, as Markdown writes it: one line for each row, and a rule below the header."""
    tag = node.tag or ""
    if node.is_text_node:
        if entering:
            out.add((node.text_content or "").replace("|", "/"))
    elif tag == "tr":
        out.line()
        if entering:
            out.add("| ", kept=True)
        elif node.mem_id == out.header:
            out.add("|" + " --- |" * len(_cells(node)), kept=True)
            out.line()
    elif tag in ("td", "th"):
        if not entering:
            out.end_cell()
    elif tag == "caption":
        out.line()
    elif tag == "img" and entering:
        out.add(node.attributes.get("alt") or "")
    elif tag in _BLOCKS and tag not in ("thead", "tbody", "tfoot"):
        out.add(" ")


class _Text:
    """Text that is put together piece by piece, spaces collapsed as a browser does.

    `header`: inside a table with one, the identity of that row.
    """

    def __init__(self) -> None:
        self._lines: list[str] = [""]
        self.inside_pre = False
        self.header: int | None = None

    def add(self, text: str, *, kept: bool = False) -> None:
        if not kept:
            text = _SPACES.sub(" ", text)
            if not self._lines[-1] or self._lines[-1].endswith(" "):
                text = text.removeprefix(" ")
        self._lines[-1] += text

    def end_cell(self) -> None:
        self._lines[-1] = self._lines[-1].rstrip() + " | "

    def line(self, *, blank: bool = False) -> None:
        if self._lines[-1]:
            self._lines.append("")
        if blank and len(self._lines) > 1 and self._lines[-2]:
            self._lines.append("")

    def value(self) -> str:
        return "\n".join(line.rstrip() for line in self._lines).strip("\n")


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Every node below `root` on the way in and on the way out; without recursion, pages may be deep."""
    node = root.first_child
    while node is not None:
        yield node, True
        if node.first_child is not None:
            node = node.first_child
            continue
        yield node, False
        while node.next is None:
            parent = node.parent
            if parent is None or parent.mem_id == root.mem_id:
                return
            node = parent
            yield node, False
        node = node.next
