"""`search`, `fetch`, `ask` and `index`, each as a process of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cli.conftest import Cli

PEOPLE = """id,name,state,about
1,Ada,IL,"Forklift operator with an OSHA-10 card and five years in cold storage. She trains others, keeps the dock in order and writes the daily report for the site lead. \x1b[31mRed."
2,Ben,IN,Line cook who runs a grill.
3,Cleo,IL,Welder who reads drawings.
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The command in a folder whose lake holds people with text, and a document."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    (folder / "pay.md").write_text("# Pay\nOvertime is paid one and a half times.\n", encoding="utf-8")
    cli = Cli(folder, folder, {"LAKEHOUSE_EMBEDDER": "wordllama"})
    cli("ingest", "people.csv", "--text", "about")
    cli("ingest", "pay.md")
    return cli


def test_people_get_a_table_and_programs_get_json(library: Cli) -> None:
    shown = library("search", "who writes the daily report")
    head, _, first, *_ = shown.stdout.splitlines()
    assert head.split() == ["score", "title", "text", "id"]
    assert first.split()[1] == "Ada"
    # The snippet is around what was asked for.
    assert "writes the daily report" in first
    assert "…" in first.split("writes")[0]
    assert "lakehouse://datasets/people/v0/rows/0#chunk=0" in first
    assert "\x1b" not in shown.stdout
    assert "hybrid; pay: " in shown.stderr
    found = library.json("search", "who drives a forklift", "--dataset", "people", "--where", "state = 'IL'", "-k", "1")
    assert [hit["columns"]["name"] for hit in found["results"]] == ["Ada"]
    passage = library("fetch", found["results"][0]["id"])
    assert passage.stdout.startswith("Forklift operator with an OSHA-10 card")
    assert "\x1b" not in passage.stdout
    assert "(Ada, dataset people, version 0, row 0, source people.csv)" in passage.stderr


def test_a_question_is_answered_with_what_it_cites(library: Cli) -> None:
    shown = library("ask", "How is overtime paid?", "--dataset", "pay")
    assert "one and a half times. [1]" in shown.stdout
    assert '[1] "Overtime is paid one and a half times."' in shown.stdout
    assert "    lakehouse://datasets/pay/v0/rows/0#" in shown.stdout
    assert "(grounded; quoted, no model wrote it)" in shown.stderr
    answer = library.json("ask", "What is the boiling point of tungsten?")
    assert (answer["refused"], answer["citations"], answer["model"]) == (True, [], None)


def test_an_index_is_built_and_rolled_back(cli: Cli) -> None:
    cli = Cli(cli.folder, cli.home, {"LAKEHOUSE_EMBEDDER": "wordllama"})
    cli("ingest", "-", "--name", "people.csv", text=PEOPLE)
    built = cli("index", "people", "--column", "about")
    assert built.stdout.startswith("people: generation 1 is published; 3 passages, recall@10 1, ")
    assert cli.json("index", "people")["generation"] == 2
    assert cli.json("index", "people", "--rollback") == {"dataset": "people", "generation": 1, "previous": 2}
    assert "search index: generation 1, 3 passages, wordllama" in cli("describe", "people").stdout


def test_where_no_index_is_built_it_is_said_and_all_is_searched(library: Cli, tmp_path: Path) -> None:
    shutil.copytree(library.folder / "lakehouse", tmp_path / "lakehouse")
    shutil.rmtree(tmp_path / "lakehouse" / "index")
    cli = Cli(tmp_path, library.home, library.environment)
    assert "pay (no index built yet): exact over 1 of 1 rows" in cli("search", "overtime", "--dataset", "pay").stderr
    said = "search index: not built yet, all passages of about are searched exactly"
    assert said in cli("describe", "people").stdout
    failed = cli("index", "people", "--rollback", expect=1).stderr
    assert "no generation of 'people' has been built yet: all its passages are searched exactly" in failed
    assert "hint: mcp-lakehouse index people builds one" in failed


def test_words_are_searched_where_the_model_is_another_one(library: Cli) -> None:
    another = {"LAKEHOUSE_EMBEDDER": "openai:gone@http://127.0.0.1:9/v1"}
    call = ("search", "forklift", "--dataset", "people")
    assert "--mode keyword searches without a model" in library(*call, expect=1, environment=another).stderr
    assert "Forklift operator" in library(*call, "--mode", "keyword", environment=another).stdout


def test_an_id_without_a_hash_is_opened_and_told(library: Cli) -> None:
    assert "note: " not in library("fetch", library.json("search", "overtime", "-k", "1")["results"][0]["id"]).stderr
    shown = library("fetch", "lakehouse://datasets/pay/v0/rows/0")
    assert "one and a half times" in shown.stdout
    assert "note: this id carries no hash" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("search", "x", "--mode", "fuzzy"), 2, "'fuzzy' is not known"),
        (("search", "x", "-k", "0"), 2, "not a whole number of at least 1"),
        (("search", "x", "--dataset", "peple"), 1, "hint: "),
    ],
)
def test_what_cannot_be_done_says_why(library: Cli, arguments: tuple[str, ...], status: int, says: str) -> None:
    assert says in library(*arguments, expect=status).stderr


def test_modes_are_completed(library: Cli) -> None:
    script = library("completion", "bash").stdout
    ask = f"{script}\nCOMP_WORDS=(mcp-lakehouse search --mode '') COMP_CWORD=3; _shtab_mcp_lakehouse; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split() == ["hybrid", "vector", "keyword"]
