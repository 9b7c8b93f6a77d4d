"""`install`: this lake as a server in an MCP client's configuration, with the change shown first."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_lakehouse.commands.console import say
from mcp_lakehouse.errors import InvalidInput, StorageFailed
from mcp_lakehouse.settings import Settings

NAME = "lakehouse"


@dataclass(frozen=True, slots=True)
class Client:
    """An MCP client: where it keeps its servers, under which key, and what it wants in each entry besides."""

    name: str
    title: str
    path: Path
    key: str
    extra: Mapping[str, str]
    reload: str


def clients(
    *, home: Path, here: Path, environment: Mapping[str, str] = os.environ, platform: str = sys.platform
) -> dict[str, Client]:
    """The clients by name. The last three keep a file in the project's folder, `here`."""
    desktop = _desktop_folder(home, environment, platform) / "claude_desktop_config.json"
    restart = "quit Claude Desktop and start it again"
    return {
        client.name: client
        for client in (
            Client("claude-desktop", "Claude Desktop", desktop, "mcpServers", {}, restart),
            Client(
                "claude-code",
                "Claude Code",
                here / ".mcp.json",
                "mcpServers",
                {},
                "start claude in this folder; it asks once whether it may use the server",
            ),
            Client(
                "vscode",
                "VS Code",
                here / ".vscode" / "mcp.json",
                "servers",
                {"type": "stdio"},
                "open this folder in VS Code and start the server from that file",
            ),
            Client(
                "cursor",
                "Cursor",
                here / ".cursor" / "mcp.json",
                "mcpServers",
                {},
                "open this folder in Cursor and switch the server on in its settings",
            ),
        )
    }


def _desktop_folder(home: Path, environment: Mapping[str, str], platform: str) -> Path:
    if platform == "darwin":
        return home / "Library" / "Application Support" / "Claude"
    if platform == "win32":
        return Path(environment.get("APPDATA") or home / "AppData" / "Roaming") / "Claude"
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "Claude"


def command() -> list[str]:
    """The command of this very environment, as an absolute path: clients start with another PATH."""
    script = Path(sys.executable).with_name("mcp-lakehouse")
    return [str(script)] if script.exists() else [sys.executable, "-m", "mcp_lakehouse"]


def entry(client: Client, settings: Settings) -> dict[str, Any]:
    """The client's entry for this lake; every path in it is absolute."""
    program, *before = command()
    lake = settings.lake if "://" in settings.lake else str(Path(settings.lake).expanduser().resolve())
    allowed = [argument for root in settings.allowed_roots for argument in ("--allow", str(root))]
    return {**client.extra, "command": program, "args": [*before, "serve", "--lake", lake, *allowed]}


def install(args: argparse.Namespace, settings: Settings) -> int:
    """Write the configuration of one client, print its entry, or list the clients."""
    known = clients(home=Path.home(), here=Path.cwd())
    if args.client is None:
        _list(known)
        return 0
    client = known[args.client]
    new = entry(client, settings)
    if args.print:
        print(json.dumps({client.key: {NAME: new}}, indent=2, ensure_ascii=False))
        return 0
    before, content = _read(client)
    content.setdefault(client.key, {})[NAME] = new
    after = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    if before and json.loads(before) == content:
        say(f"{client.title} has this entry already: {client.path}")
        return 0
    _show_change(client.path, before, after)
    if not _agreed(args.yes):
        say("nothing was written")
        return 1
    _write(client.path, after)
    say(f"wrote {client.path}" + (f" (before: {_backup(client.path).name})" if before else ""))
    say(f"next: {client.reload}")
    if "://" in settings.lake:
        say('clients start servers with a bare environment: put the AWS_* variables under "env" in that entry')
    return 0


def registered(client: Client) -> bool:
    """Whether the client's file has an entry for a lake of ours. Raises `InvalidInput` for a broken file."""
    return NAME in _read(client)[1].get(client.key, {})


def _list(known: Mapping[str, Client]) -> None:
    for client in known.values():
        if not client.path.exists():
            state = "no configuration yet"
        else:
            state = "has an entry for a lake" if registered(client) else "is there, without an entry for a lake"
        print(f"{client.name:15} {state:40} {client.path}")
    say("write one with: mcp-lakehouse install CLIENT")


def _read(client: Client) -> tuple[str, dict[str, Any]]:
    """The file's text and content, empty where there is none."""
    path = client.path
    by_hand = f"mend it, or paste this by hand: mcp-lakehouse install {client.name} --print"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return "", {}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read {path}: {error}", hint=by_hand) from error
    if not text.strip():
        return text, {}
    try:
        content = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON (comments are not either): {error}", hint=by_hand) from error
    if not isinstance(content, dict) or not isinstance(content.get(client.key, {}), dict):
        raise InvalidInput(f"{path} does not hold an object with {client.key!r} in it", hint=by_hand)
    return text, content


def _show_change(path: Path, before: str, after: str) -> None:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(path) if before else "/dev/null", str(path), lineterm=""
    )
    for line in lines:
        print(line)


def _agreed(yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InvalidInput("nobody is there to agree to this change", hint="give --yes to write it")
    sys.stderr.write("write this? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _backup(path: Path) -> Path:
    return path.with_name(path.name + ".bak")


def _write(path: Path, text: str) -> None:
    """Put the whole file at once, its former self beside it. A link keeps pointing where it did."""
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
            if path.exists():
                shutil.copymode(path, temporary)
                shutil.copy2(path, _backup(path))
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise StorageFailed(f"cannot write {path}: {error.strerror}", hint="check the folder's rights") from error
