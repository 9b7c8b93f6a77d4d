"""`buckets`, `profiles`, `errors` and `trials`: what whoever looks after a lake asks."""

from __future__ import annotations

import argparse

from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.console import counted, printable, say
from mcp_lakehouse.commands.opening import Opening

_SHOWN = {
    "dataset": False,
    "rows": True,
    "of_rows": True,
    "columns": False,
    "hidden": False,
    "masked": False,
    "where": False,
    "problem": False,
}
# What is shown of an index build, and whether it is a number.
_TRIED = {
    "dataset": False,
    "trial": True,
    "time": False,
    "published": False,
    "model": False,
    "passages": True,
    "recall_at_10": True,
    "p50_ms": True,
    "build_seconds": True,
    "note": False,
}


def buckets(args: argparse.Namespace, opening: Opening) -> int:
    """List the buckets; fails where one does not answer."""
    with opening() as lake:
        found = lake.list_buckets()
    if args.json:
        show.json_value(found)
    else:
        show.facts({"name": False, "url": False, "datasets": True, "answers": False, "problem": False}, found.buckets)
    if found.rescued:
        say(f"{counted(found.rescued, 'refused write')} waiting; finish with: mcp-lakehouse replay")
    return 0 if all(each.answers for each in found.buckets) else 1


def profiles(args: argparse.Namespace, opening: Opening) -> int:
    """List the profiles, or show what one of them sees."""
    with opening() as lake:
        found = lake.list_profiles(args.reader, args.statement)
    if args.json:
        show.json_value(found)
    elif not found.profiles:
        say("no profiles yet; [profiles.NAME] in the lake's lakehouse.toml makes one")
    elif found.shown is None:
        facts = ("name", "rights", "datasets", "restricted", "description")
        show.facts(dict.fromkeys(facts, False), found.profiles)
    else:
        show.facts(_SHOWN, found.shown)
        for line in found.answer or ():
            print(printable(line))
    return 0


def errors(args: argparse.Namespace, opening: Opening) -> int:
    """List the newest failures."""
    with opening() as lake:
        found = lake.list_errors(args.limit, args.dataset, args.since)
    if args.json:
        show.json_value(found)
        return 0
    for each in found.errors:
        about = f" {printable(each.dataset)}" if each.dataset else ""
        print(f"{each.time}  {each.operation}{about}  {each.code}: {printable(each.message)}")
        if each.hint:
            print(f"    hint: {printable(each.hint)}")
    say(f"({len(found.errors):,} of {counted(found.total, 'error')})")
    return 0


def trials(args: argparse.Namespace, opening: Opening) -> int:
    """List the index builds, published or not."""
    with opening() as lake:
        found = lake.index_trials(args.dataset)
    if args.json:
        show.json_value(found)
    elif found.trials:
        show.facts(_TRIED, found.trials)
    else:
        say("no index was built yet")
    return 0
