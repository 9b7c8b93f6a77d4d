"""`python -m tests.proofs [crash] [servers] [together] [swap]`: run proofs whole, and write `docs/proofs.md`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial

from tests.proofs import crash, servers, swap, together
from tests.proofs.places import KINDS
from tests.proofs.report import FILE, Section, write


def main() -> int:
    """Run what is asked for; 1 where something does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs", description=__doc__)
    parser.add_argument("proofs", nargs="*", help="crash, servers, together, swap; default: all")
    parser.add_argument("--kind", choices=KINDS, action="append", help="where the lake is; default: both")
    parser.add_argument("--every", type=int, default=1, help="kill at one write in so many")
    args = parser.parse_args()
    proofs: dict[str, Callable[[str], Section]] = {
        "crash": partial(crash.prove, every=args.every),
        "servers": servers.prove,
        "together": together.prove,
        "swap": swap.prove,
    }
    unknown = set(args.proofs) - set(proofs)
    if unknown:
        parser.error(f"there is no proof {', '.join(sorted(unknown))}; there are: {', '.join(proofs)}")
    held = True
    for name in args.proofs or proofs:
        for kind in args.kind or KINDS:
            section = proofs[name](kind)
            write([section])
            held = held and section.holds
            print(f"{section.title}: {'holds' if section.holds else 'DOES NOT HOLD'}; wrote {FILE}", flush=True)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
