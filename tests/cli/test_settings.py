"""Where a setting comes from: flag, environment, the lake's own file, default."""

from __future__ import annotations

import json
from typing import Any

from cli.conftest import Cli


def sources(cli: Cli, *arguments: str, **environment: str) -> dict[str, tuple[Any, str]]:
    changed = Cli(cli.folder, cli.home, environment)
    return {each["name"]: (each["value"], each["source"]) for each in changed.json("settings", *arguments)}


def test_the_nearest_source_wins(cli: Cli) -> None:
    lake = cli.folder / "there"
    lake.mkdir()
    (lake / "lakehouse.toml").write_text('sql_timeout = 7\nsql_workers = 2\ntrace = "lake"\nread_only = true\n')

    assert sources(cli)["sql_timeout"] == ("60", "default")
    found = sources(cli, "--lake", "there", LAKEHOUSE_SQL_TIMEOUT="9", LAKEHOUSE_LAKE="elsewhere")
    assert found["lake"] == ("there", "flag")
    assert found["sql_timeout"] == ("9", "environment LAKEHOUSE_SQL_TIMEOUT")
    assert found["sql_workers"] == ("2", "lakehouse.toml")
    assert found["read_only"] == ("true", "lakehouse.toml")
    assert sources(cli, LAKEHOUSE_LAKE="there")["lake"] == ("there", "environment LAKEHOUSE_LAKE")


def test_secrets_are_told_as_set_and_never_printed(cli: Cli) -> None:
    changed = Cli(cli.folder, cli.home, {"LAKEHOUSE_TOKEN": "s3cret-of-mine"})
    printed = changed("settings").stdout + changed("settings", "--json").stdout
    assert "s3cret-of-mine" not in printed
    assert "(set)" in printed


def test_the_lakes_own_file_may_not_hold_secrets_or_unknown_names(cli: Cli) -> None:
    lake = cli.folder / "lakehouse"
    lake.mkdir()
    for text, told in (('token = "x"', "LAKEHOUSE_TOKEN"), ("sql_timout = 3", "sql_timeout"), ("=", "lakehouse.toml")):
        (lake / "lakehouse.toml").write_text(text)
        assert told in cli("settings", expect=1).stderr


def test_a_variable_that_is_no_setting_is_told_with_what_was_meant(workers: Cli) -> None:
    slip = {"LAKEHOUSE_SQL_TIMEUOT": "5", "LAKEHOUSE_FAVOURITE_COLOUR": "blue"}
    shown = workers("settings", "--json", environment=slip)
    assert json.loads(shown.stdout)
    assert "LAKEHOUSE_SQL_TIMEUOT is no setting; did you mean LAKEHOUSE_SQL_TIMEOUT?" in shown.stderr
    assert "LAKEHOUSE_FAVOURITE_COLOUR is no setting; mcp-lakehouse settings" in shown.stderr
    doctor = workers("doctor", environment=slip).stdout
    assert "warn  settings: LAKEHOUSE_SQL_TIMEUOT is set, and is no setting" in doctor
    # The client of a server is gone at once.
    assert "LAKEHOUSE_SQL_TIMEUOT is no setting" in workers("serve", environment=slip).stderr
    keys = {"LAKEHOUSE_CHAT_KEY": "x", "LAKEHOUSE_EMBEDDER_KEY": "x"}
    assert workers("settings", environment=keys).stderr == ""


def test_a_new_lake_is_told_of_and_only_loading_makes_one(cli: Cli) -> None:
    (cli.folder / "t.csv").write_text("n\n1\n")
    for command in (["sql", "SELECT 1"], ["datasets"], ["describe", "t"], ["rebuild"]):
        assert "there is no lake at" in cli(*command, "--lake", "slip", expect=1).stderr
    assert not (cli.folder / "slip").exists()
    assert f"there is no lake at {cli.folder / 'slip'} yet" in cli("ingest", "t.csv", "--lake", "slip").stderr
    assert "no lake" not in cli("ingest", "t.csv", "--lake", "slip").stderr


def test_the_settings_shown_are_the_settings_used(workers: Cli) -> None:
    (workers.folder / "lakehouse" / "lakehouse.toml").write_text("sql_timeout = 0.5\n")
    done = workers("sql", "SELECT count(*) FROM range(1000000000) a, range(1000000000) b", expect=1)
    assert "0.5 s" in done.stderr
