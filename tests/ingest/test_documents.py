"""PDF, Markdown, HTML and plain text as rows."""

from __future__ import annotations

import pytest

from ingest.harness import Loading, pdf
from mcp_lakehouse.errors import InvalidInput, SchemaMismatch, UnreadableSource
from mcp_lakehouse.ingest.documents import MAX_TEXT_CHARS, split_long
from mcp_lakehouse.ingest.html import html_parts
from mcp_lakehouse.ingest.markdown import markdown_parts

COLUMNS = [
    ("source", "VARCHAR"),
    ("page", "INTEGER"),
    ("section", "VARCHAR"),
    ("text", "VARCHAR"),
    ("line", "INTEGER"),
]


def test_a_pdf_is_read_by_page_and_pages_without_text_are_told(loading: Loading) -> None:
    loaded = loading.load_text("t.pdf", pdf(["Hello one", "", "And three"]))
    assert loaded.answer["kind"] == "documents"
    assert list(loaded.types.items()) == COLUMNS
    assert loaded.rows == [("t.pdf", 1, None, "Hello one", None), ("t.pdf", 3, None, "And three", None)]
    assert "no text on pages 2" in loaded.notes


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (pdf(["secret"], password="x"), "encrypted"),
        (pdf(["", ""]), r"images only"),
        (b"%PDF-1.4 damaged", "not a readable PDF"),
        (pdf(["x"])[:200], "not a readable PDF"),
    ],
)
def test_pdfs_without_readable_text_say_why(loading: Loading, content: bytes, says: str) -> None:
    with pytest.raises(UnreadableSource, match=says):
        loading.load_text("t.pdf", content)


def test_an_image_only_pdf_names_the_way_out(loading: Loading) -> None:
    with pytest.raises(UnreadableSource) as caught:
        loading.load_text("t.pdf", pdf([""]))
    assert "OCR" in (caught.value.hint or "")


MARKDOWN = """---
title: x
---
before

# One *two*
text

## Sub
- # no heading

```
# code
```

> # quoted

Setext
======
end"""


def test_markdown_is_split_at_headings_and_kept_as_written() -> None:
    parts = [(section, text) for _, section, text in markdown_parts(MARKDOWN)]
    assert parts == [
        (None, "---\ntitle: x\n---\n"),
        (None, "before\n\n"),
        ("One two", "# One *two*\ntext\n\n"),
        ("One two > Sub", "## Sub\n- # no heading\n\n```\n# code\n```\n\n> # quoted\n\n"),
        ("Setext", "Setext\n======\nend"),
    ]
    assert "".join(text for _, text in parts) == MARKDOWN


HTML = """<html><head><title>T &amp; U</title><style>x{}</style></head><body><nav>menu</nav>
<p>before   the  first</p><h1>One <b>two</b></h1><p>a<br>b &lt;3</p>tail<script>bad()</script>
<h2>Sub</h2><ul><li>x<li>y</ul><table><tr><th>p<th>q</tr><tr><td>1<td>2</tr></table>
<pre>k
  l</pre><h1>Three</h1>end<footer>imprint</footer></body></html>"""


def test_html_is_read_as_a_person_would() -> None:
    assert [(section, text) for _, section, text in html_parts(HTML)] == [
        ("T & U", "before the first"),
        ("One two", "One two\na\nb <3\n\ntail"),
        ("One two > Sub", "Sub\n- x\n- y\n\n| p | q |\n| --- | --- |\n| 1 | 2 |\n\nk\n  l"),
        ("Three", "Three\nend"),
        ("T & U", "imprint"),
    ]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (
            "<tr><td>Room<td>Low<td>High</tr><tr><td>Double<td>68 EUR<td>92 EUR</tr>",
            "| Room | Low | High |\n| --- | --- | --- |\n| Double | 68 EUR | 92 EUR |",
        ),
        ("<thead><tr><td>A<td>B</thead><tbody><tr><td>x<td>y", "| A | B |\n| --- | --- |\n| x | y |"),
        (
            "<caption>Cap</caption><tr><th>A<th>B</tr>\n<tr>\n<td><p>x</p><p>y</p></td> <td>1|2<br>3</td>\n</tr>",
            "Cap\n| A | B |\n| --- | --- |\n| x y | 1/2 3 |",
        ),
        ("<tr><th>A<th>B</tr><tr><td><td>9</tr>", "| A | B |\n| --- | --- |\n| | 9 |"),
        ("<tr><th>Name<td>Ada</tr><tr><th>Age<td>36</tr>", "Name | Ada\nAge | 36"),
        ("<tr><td>a<td>b</tr><tr><td>c<td>d</tr>", "a | b\nc | d"),
        ("<tr><td>menu<td><table><tr><td>in<td>1</tr></table></tr>", "menu |\nin | 1"),
    ],
    ids=["by digits", "head", "marked", "empty cell", "named rows", "no header", "layout"],
)
def test_tables_keep_the_names_of_their_columns(table: str, text: str) -> None:
    found = [text for _, _, text in html_parts(f"<body><table>{table}</table></body>")]
    assert found == [text]


def test_html_with_a_main_part_is_read_there() -> None:
    page = "<body><header>logo</header><main><h1>A</h1>b</main><aside>ads</aside></body>"
    assert [text for _, _, text in html_parts(page)] == ["", "A\nb"]


def test_deep_html_is_no_danger() -> None:
    page = "<div>" * 5_000 + "deep" + "</div>" * 5_000
    assert [text.strip() for _, _, text in html_parts(page)] == ["deep"]


def test_text_is_one_row_for_each_page_of_it(loading: Loading) -> None:
    loaded = loading.load_text("t.txt", "hello\n\fwörld\r\nend")
    assert loaded.rows == [("t.txt", None, None, "hello", 1), ("t.txt", None, None, "wörld\nend", 2)]


def test_a_row_says_in_which_line_of_its_source_it_begins(loading: Loading) -> None:
    text = "---\na: 1\n---\n\n# One\nx\n\n\n## Two\ny\n"
    lines = text.split("\n")
    for _, _, _, part, line in loading.load_text("t.md", text).rows:
        assert lines[line - 1] == part.split("\n")[0]


def test_documents_in_older_encodings_are_told(loading: Loading) -> None:
    loaded = loading.load_text("t.txt", "naïve café".encode("latin-1"))
    assert loaded.rows[0][3] == "naïve café"
    assert "cp1252" in loaded.notes


def test_very_long_texts_are_split_at_paragraphs_and_nothing_is_lost() -> None:
    text = ("word " * 1_000 + "\n\n") * 500
    pieces = list(split_long(text))
    assert "".join(pieces) == text
    assert all(len(piece) <= MAX_TEXT_CHARS for piece in pieces)
    assert all(piece.endswith("\n") for piece in pieces)
    endless = "x" * (MAX_TEXT_CHARS * 2 + 5)
    assert "".join(split_long(endless)) == endless


def test_documents_of_several_formats_go_together_and_tables_do_not(loading: Loading) -> None:
    folder = loading.text("a.md", "# A\nx").parent
    (folder / "b.txt").write_text("y")
    (folder / "c.html").write_text("<p>z</p>")
    assert [row[0] for row in loading.load(folder).rows] == ["a.md", "b.txt", "c.html"]
    (folder / "d.csv").write_text("a\n1\n")
    with pytest.raises(InvalidInput, match="mixes tables and documents"):
        loading.load(folder)


def test_a_document_without_text_is_an_error_alone_and_told_among_others(loading: Loading) -> None:
    path = loading.text("a.html", "<script>x</script>")
    with pytest.raises(UnreadableSource, match="holds no text"):
        loading.load(path)
    (path.parent / "b.txt").write_text("y")
    loaded = loading.load(path.parent)
    assert len(loaded.rows) == 1
    assert "a.html holds no text" in loaded.notes


def test_documents_join_a_dataset_of_documents_only(loading: Loading) -> None:
    assert loading.load_text("a.txt", "x", columns=COLUMNS).rows == [("a.txt", None, None, "x", 1)]
    with pytest.raises(SchemaMismatch):
        loading.load_text("a.txt", "x", columns=[("page", "VARCHAR")])
