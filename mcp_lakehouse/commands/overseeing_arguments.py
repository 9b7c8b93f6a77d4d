"""The arguments of `buckets`, `profiles`, `errors`, `trials` and `replay`."""

from __future__ import annotations

from mcp_lakehouse.commands.keeping_arguments import Adder
from mcp_lakehouse.commands.values import count


def add_overseeing(add: Adder) -> None:
    """Add the commands of whoever looks after a lake."""
    add("buckets", "list the buckets, and whether they answer", run="commands.overseeing:buckets", needs="lake")
    profiles = add("profiles", "list profiles, or show what one sees", run="commands.overseeing:profiles", needs="lake")
    profiles.add_argument("reader", nargs="?", metavar="PROFILE")
    profiles.add_argument("--try", dest="statement", metavar="SQL", help="and what this statement gives there")
    errors = add("errors", "list the newest failures, with hints", run="commands.overseeing:errors", needs="lake")
    errors.add_argument("--dataset", metavar="NAME", help="only of this dataset")
    errors.add_argument("--since", metavar="TIME", help="only from then on, ISO 8601: 2026-01-31T12:00:00Z")
    errors.add_argument("--limit", type=count, default=20, metavar="N", help="how many (default 20)")
    trials = add("trials", "list index builds, published or not", run="commands.overseeing:trials", needs="lake")
    trials.add_argument("dataset", nargs="?", metavar="DATASET")
    replay = add(
        "replay",
        "finish refused loads that the rescue bucket holds",
        run="commands.changing:replay",
        needs="lake",
        more="Each is finished once, oldest first; what still fails stays. `buckets` says how many wait.",
    )
    replay.add_argument("id", nargs="?", metavar="ID", help="only this one")
