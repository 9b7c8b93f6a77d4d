"""What went wrong, and what was built: as a person reads it, and as a program does."""

from __future__ import annotations

from cli.conftest import Cli


def test_failures_are_listed_with_their_hints(cli: Cli) -> None:
    (cli.folder / "t.csv").write_text("a\n1\n")
    cli("ingest", "t.csv")
    cli("sql", "FROM nothing_of_this_name", expect=1)
    cli("describe", "neither", expect=1)
    told = cli("errors")
    assert "nothing_of_this_name" in told.stdout
    assert "    hint: " in told.stdout
    assert "(2 of 2 errors)" in told.stderr
    (newest,) = cli.json("errors", "--limit", "1")["errors"]
    assert (newest["operation"], newest["dataset"]) == ("describe_dataset", "neither")
    assert cli.json("errors", "--since", "2999-01-01")["errors"] == []
    assert "ISO 8601" in cli("errors", "--since", "lately", expect=1).stderr


def test_index_builds_are_listed(cli: Cli) -> None:
    (cli.folder / "t.csv").write_text("a\n1\n")
    cli("ingest", "t.csv")
    assert "no index was built yet" in cli("trials").stderr
    (cli.folder / "notes.md").write_text("# Bees\n\nThey sleep at night.\n")
    cli("ingest", "notes.md")
    cli("index", "notes")
    assert cli("trials").stdout.split()[0] == "dataset"
    found = cli.json("trials", "notes")["trials"]
    assert [(trial["dataset"], trial["trial"], trial["published"]) for trial in found] == [
        ("notes", 2, True),
        ("notes", 1, True),
    ]
