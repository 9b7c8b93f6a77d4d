"""Clients' configurations: what is written, what is kept, what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from cli.conftest import COMMAND, Cli
from mcp_lakehouse import install


def file_of(cli: Cli, client: str) -> Path:
    return install.clients(home=cli.home, here=cli.folder, environment={})[client].path


@pytest.mark.parametrize(
    ("client", "key", "extra"),
    [
        ("claude-desktop", "mcpServers", {}),
        ("claude-code", "mcpServers", {}),
        ("vscode", "servers", {"type": "stdio"}),
        ("cursor", "mcpServers", {}),
    ],
)
def test_each_client_gets_an_entry_with_absolute_paths(cli: Cli, client: str, key: str, extra: dict[str, str]) -> None:
    done = cli("install", client, "--lake", "my lake", "--allow", "data", "--yes")

    path = file_of(cli, client)
    entry = json.loads(path.read_text())[key]["lakehouse"]
    lake, data = str(cli.folder / "my lake"), str(cli.folder / "data")
    assert entry == extra | {"command": str(COMMAND), "args": ["serve", "--lake", lake, "--allow", data]}
    assert '+    "lakehouse": {' in done.stdout
    assert str(path) in done.stderr


def test_other_entries_and_unknown_keys_stay_and_the_old_file_is_kept(cli: Cli) -> None:
    path = cli.folder / ".mcp.json"
    before = '{"mcpServers": {"other": {"command": "x"}}, "theme": "dark"}'
    path.write_text(before)
    path.chmod(0o600)

    cli("install", "claude-code", "--yes")

    after = json.loads(path.read_text())
    assert after["mcpServers"]["other"] == {"command": "x"}
    assert after["theme"] == "dark"
    assert (cli.folder / ".mcp.json.bak").read_text() == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert {each.name for each in cli.folder.iterdir()} == {".mcp.json", ".mcp.json.bak"}


def test_installing_twice_changes_nothing(cli: Cli) -> None:
    cli("install", "cursor", "--yes")
    done = cli("install", "cursor")
    assert "already" in done.stderr
    assert done.stdout == ""


def test_without_anybody_to_agree_nothing_is_written(cli: Cli) -> None:
    done = cli("install", "vscode", expect=1)
    assert "hint: give --yes" in done.stderr
    assert "lakehouse" in done.stdout
    assert not any(cli.folder.iterdir())


def test_printing_writes_nothing(cli: Cli) -> None:
    printed = json.loads(cli("install", "vscode", "--print").stdout)
    assert printed["servers"]["lakehouse"]["type"] == "stdio"
    assert not any(cli.folder.iterdir())


@pytest.mark.parametrize(
    "text",
    ["{", '{"mcpServers": {} // mine\n}', "[]", '{"mcpServers": []}', "\xff"],
    ids=["cut", "commented", "list", "wrong", "binary"],
)
def test_a_broken_file_is_left_alone(cli: Cli, text: str) -> None:
    path = cli.folder / ".mcp.json"
    path.write_text(text, encoding="latin-1")
    done = cli("install", "claude-code", "--yes", expect=1)
    assert str(path) in done.stderr
    assert "--print" in done.stderr
    assert path.read_text(encoding="latin-1") == text


def test_a_linked_configuration_stays_a_link(cli: Cli) -> None:
    real = cli.home / "dotfiles.json"
    real.write_text("{}")
    (cli.folder / ".mcp.json").symlink_to(real)
    cli("install", "claude-code", "--yes")
    assert (cli.folder / ".mcp.json").is_symlink()
    assert "lakehouse" in json.loads(real.read_text())["mcpServers"]


def test_without_a_client_those_that_are_there_are_listed(cli: Cli) -> None:
    cli("install", "cursor", "--yes")
    (cli.folder / ".mcp.json").write_text("{}")
    listed = {line.split()[0]: line for line in cli("install").stdout.splitlines()}
    assert "has an entry" in listed["cursor"]
    assert "without an entry" in listed["claude-code"]
    assert "no configuration" in listed["vscode"]
    assert str(cli.home) in listed["claude-desktop"]


def test_a_lake_on_object_storage_keeps_its_address_and_says_where_keys_go(cli: Cli) -> None:
    done = cli("install", "claude-code", "--lake", "s3://bucket/lake", "--yes")
    assert "s3://bucket/lake" in json.loads((cli.folder / ".mcp.json").read_text())["mcpServers"]["lakehouse"]["args"]
    assert "AWS_" in done.stderr


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("darwin", {}, "h/Library/Application Support/Claude"),
        ("linux", {}, "h/.config/Claude"),
        ("linux", {"XDG_CONFIG_HOME": "x"}, "x/Claude"),
        ("win32", {"APPDATA": "roaming"}, "roaming/Claude"),
    ],
)
def test_claude_desktop_is_looked_for_where_each_system_keeps_it(
    platform: str, environment: dict[str, str], expected: str
) -> None:
    known = install.clients(home=Path("h"), here=Path("p"), environment=environment, platform=platform)
    assert known["claude-desktop"].path == Path(expected) / "claude_desktop_config.json"


def test_the_command_is_that_of_this_environment() -> None:
    assert Path(install.command()[0]).parent == Path(sys.executable).parent
