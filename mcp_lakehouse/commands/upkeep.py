"""`rebuild`, `settings` and `completion`."""

from __future__ import annotations

import argparse
import contextlib

from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.console import counted, printable, say
from mcp_lakehouse.commands.opening import Opening
from mcp_lakehouse.errors import NotAllowed
from mcp_lakehouse.settings import Settings, unknown_variables

_LOCAL_STATE = ("objects", "objects-*", "results", "statistics")
_FILES = ("source", "lake", "allow", "folder")


def rebuild(args: argparse.Namespace, opening: Opening) -> int:
    """Forget everything local, read every table again; fails when a table is not whole."""
    from mcp_lakehouse.commands.soundness import examine_all
    from mcp_lakehouse.index.local import forget_local

    with opening() as lake:
        if not lake.may("admin"):
            raise NotAllowed("only an administrator may rebuild", hint="open the lake without a profile")
        cache = lake.results.folder.parent
    for folder in (folder for name in _LOCAL_STATE for folder in cache.glob(name)):
        # What is in the folders, not the folders: servers that run have them open, and fetch what they need again.
        for entry in folder.glob("*"):
            with contextlib.suppress(OSError):
                entry.unlink()
    forget_local(cache / "index")
    with opening() as lake:
        findings = list(examine_all(lake))
        address = lake.bucket.url
    broken = [finding for finding in findings if finding.problem]
    if args.json:
        show.json_value({"lake": address, "tables": findings, "broken": len(broken)})
        return 1 if broken else 0
    show.facts({"name": False, "version": True, "rows": True, "files": True, "bytes": True, "dropped": False}, findings)
    for finding in broken:
        say(f"broken: {printable(finding.name)}: {printable(finding.problem or '')}")
    say(f"({counted(len(findings), 'table')} read from {address}, {len(broken)} not whole; local state is new)")
    return 1 if broken else 0


def settings(args: argparse.Namespace, found: Settings) -> int:
    """Print every setting, its value and where that came from; secrets only as set or not."""
    for variable, instead in unknown_variables().items():
        say(f"note: {printable(variable)} is no setting; {instead}")
    records = [
        {
            "name": each.setting.name,
            "value": ("(set)" if each.value else "") if each.setting.secret else each.value,
            "source": each.source,
            "variable": each.setting.variable,
            "meaning": each.setting.meaning,
        }
        for each in found.values.values()
    ]
    if args.json:
        show.json_value(records)
        return 0
    show.facts(dict.fromkeys(("name", "value", "source", "meaning"), False), records)
    return 0


def completion(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Print a completion script."""
    import shtab

    _complete_files(parser, shtab.FILE)
    print(shtab.complete(parser, args.shell))
    return 0


def _complete_files(parser: argparse.ArgumentParser, files: object) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command, files)
        elif action.dest in _FILES:
            action.complete = files  # type: ignore[attr-defined]  # shtab's own attribute
