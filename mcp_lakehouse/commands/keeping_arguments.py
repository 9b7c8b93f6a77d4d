"""The arguments of `compact`, `vacuum`, `pin` and `forget`."""

from __future__ import annotations

import argparse
from typing import Literal, Protocol

from mcp_lakehouse.commands.values import number


class Adder(Protocol):
    """Adds a command (see `parser.py`)."""

    def __call__(
        self, name: str, meaning: str, *, run: str, needs: Literal["lake"], more: str = ""
    ) -> argparse.ArgumentParser: ...


def add_keeping(add: Adder) -> None:
    """Add the commands that decide in which files rows are kept, and for how long."""
    compact = add("compact", "rewrite a dataset's many files into few", run="commands.changing:compact", needs="lake")
    compact.add_argument("dataset", metavar="DATASET")
    vacuum = add(
        "vacuum",
        "remove old versions, dropped datasets and what broken-off writes left",
        run="commands.keeping:vacuum",
        needs="lake",
        more="A version stays while keep_days, keep_versions or a pin keeps it, or no file would go with it. Files\n"
        "go a day after their last version was retired, for whoever still reads it: vacuum from time to time.",
    )
    vacuum.add_argument("datasets", nargs="*", metavar="DATASET", help="default: all, and the lake's own journals")
    vacuum.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    vacuum.add_argument("--now", action="store_true", help="do not wait for readers of the versions that are retired")
    pin = add("pin", "keep a version from every vacuum", run="commands.keeping:pin", needs="lake")
    pin.add_argument("dataset", metavar="DATASET")
    pin.add_argument("version", type=number, metavar="VERSION")
    pin.add_argument("--reason", metavar="TEXT", help="what needs it; with --remove: only the pin of this reason")
    pin.add_argument("--remove", action="store_true", help="take its pins away")
    forget = add(
        "forget",
        "delete rows everywhere: versions, indexes, rejects, results, journals",
        run="commands.keeping:forget",
        needs="lake",
        more="Says for each place what was removed, and what no command reaches. Versions that held such rows can be\n"
        "read no more. Broken off anywhere, it is finished by running it again.",
    )
    forget.add_argument("dataset", metavar="DATASET")
    forget.add_argument("--where", required=True, metavar="SQL", help="the rows to forget: \"email = 'a@b.example'\"")
    forget.add_argument("--confirm", metavar="NAME", help="the dataset's name again")
    forget.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
