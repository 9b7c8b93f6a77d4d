"""The README and the documents say what is so: every snippet runs, every link leads somewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.conftest import COMMAND, SECONDS, Cli, Shown
from docs import generate

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUNNABLE = ("sh", "python")
SHOWN = ("text", "json", "toml", "sql")
PRINTED = "printed by the block above"
# Of the README's first block: this test is itself one of these targets' work.
MAKE = re.compile(r"^make (\w+)", re.MULTILINE)
# What differs from run to run: handles, and how long something took.
CHANGING = re.compile(r"lakehouse://(rejects|results)/[0-9a-f…]+")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A fenced block: its language, its text, the comment above it."""

    document: Path
    language: str
    text: str
    comment: str


def snippets(document: Path) -> Iterator[Snippet]:
    text = document.read_text(encoding="utf-8")
    for found in re.finditer(r"(?:<!-- ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Snippet(document, found[2], found[3], found[1] or "")


def is_run(snippet: Snippet) -> bool:
    return snippet.language in RUNNABLE and not snippet.comment.startswith("not run: ") and not MAKE.match(snippet.text)


def test_every_snippet_is_run_or_says_why_not() -> None:
    for document in DOCUMENTS:
        for snippet in snippets(document):
            assert snippet.language in (*RUNNABLE, *SHOWN), f"{document}: {snippet.text}"


@pytest.mark.parametrize(
    "document", [d for d in DOCUMENTS if any(map(is_run, snippets(d)))], ids=lambda document: document.name
)
def test_the_snippets_of_a_document_run_one_after_the_other(cli: Cli, document: Path) -> None:
    # Of the embedders the one that needs no conversion of its weights first.
    path = f"{COMMAND.parent}:{cli.variables()['PATH']}"
    variables = cli.variables() | {"PATH": path, "LAKEHOUSE_EMBEDDER": "wordllama"}
    printed = ""
    for snippet in snippets(document):
        if snippet.comment == PRINTED:
            assert snippet.text in printed
        if not is_run(snippet):
            continue
        program = [sys.executable, "-"] if snippet.language == "python" else ["bash", "-eu", "-o", "pipefail"]
        done = subprocess.run(
            program, input=snippet.text, cwd=cli.folder, env=variables, capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == 0, f"{snippet.text}\n{done.stdout}\n{done.stderr}"
        printed = done.stdout


def test_the_make_targets_named_are_there() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for document in DOCUMENTS for snippet in snippets(document) for name in MAKE.findall(snippet.text)}
    assert {"demo", "test"} <= named <= targets


def test_the_demo_prints_what_the_readme_says(shown_demo: Shown) -> None:
    shown = next(snippet for snippet in snippets(ROOT / "README.md") if snippet.language == "text")
    real = CHANGING.sub(r"lakehouse://\1/…", shown_demo.text).splitlines()
    for line in shown.text.splitlines():
        assert line == "…" or line in real, line


def test_the_configuration_shown_is_what_install_writes(cli: Cli) -> None:
    shown = next(snippet for snippet in snippets(ROOT / "README.md") if snippet.language == "json")
    printed = json.loads(cli("install", "claude-desktop", "--print").stdout)
    ours, theirs = json.loads(shown.text)["mcpServers"]["lakehouse"], printed["mcpServers"]["lakehouse"]
    assert list(ours) == list(theirs)
    assert [word for word in ours["args"] if not word.startswith("/")] == [
        word for word in theirs["args"] if not word.startswith("/")
    ]


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
            if "://" in target:
                continue
            name, _, heading = target.partition("#")
            file = (document.parent / name).resolve() if name else document
            assert file.is_file(), f"{document}: {target}"
            if heading:
                assert heading in {anchor(line) for line in file.read_text(encoding="utf-8").splitlines()}, target


def anchor(line: str) -> str:
    return re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-") if line.startswith("#") else ""


@pytest.mark.parametrize("name", generate.DOCUMENTS)
def test_generated_documents_are_up_to_date(name: str) -> None:
    text = (generate.FOLDER / name).read_text(encoding="utf-8")
    assert text == generate.DOCUMENTS[name](), "run: python -m docs.generate"


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in (ROOT / "docs" / "decisions").glob("*.md"):
        assert f"decisions/{path.name}" in listed


def test_every_command_that_is_named_is_there(cli: Cli) -> None:
    shown = cli("--help").stdout
    for document in DOCUMENTS:
        for command in re.findall(r"(?:^|`|\()mcp-lakehouse (\w+)", document.read_text(encoding="utf-8"), re.MULTILINE):
            assert re.search(rf"^ {{4}}{command}\b", shown, re.MULTILINE), f"{document}: {command}"
