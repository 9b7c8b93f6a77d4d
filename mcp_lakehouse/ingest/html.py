"""The readable text of an HTML page, split at its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_NOISE = "script, style, noscript, template, nav, iframe, svg, canvas, object, button, select, dialog"
# What surrounds the content of a page that does not mark it with <main>.
_SURROUNDINGS = "body > footer, body > aside"
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    "address article aside blockquote body caption dd details div dl dt fieldset figcaption figure footer form header "
    "hr li main ol p pre section summary table tbody tfoot thead tr ul br".split()
)
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
    yield from _sections(root, name or None)


def _sections(root: LexborNode, title: str | None) -> Iterator[tuple[int | None, str | None, str]]:
    stack: list[tuple[int, str]] = []
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
            _render(node, heading or out, entering=entering)
    yield None, path, out.value()


def _render(node: LexborNode, out: _Text, *, entering: bool) -> None:
    tag = node.tag or ""
    if node.is_text_node:
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


class _Text:
    """Text that is put together piece by piece, spaces collapsed as a browser does."""

    def __init__(self) -> None:
        self._lines: list[str] = [""]
        self.inside_pre = False

    def add(self, text: str, *, kept: bool = False) -> None:
        if not kept:
            text = _SPACES.sub(" ", text)
            if not self._lines[-1] or self._lines[-1].endswith(" "):
                text = text.removeprefix(" ")
        self._lines[-1] += text

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
