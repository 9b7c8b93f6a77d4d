"""Run by the tests in a process of its own: changes a keyword index, halts, and waits to be killed.

`FOLDER WHERE`: adds part `b`, then prints `halted` and waits. WHERE is `added` (nothing committed), `committing`
(the library has committed, the state is not published), `published` (the state before is still there).
"""

from __future__ import annotations

import sys
from pathlib import Path

from mcp_lakehouse.index.keywords import Keywords
from mcp_lakehouse.index.states import State, States


def halt() -> None:
    print("halted", flush=True)
    sys.stdin.read()


class HaltingStates(States):
    """Halts before publishing, or before the last state goes."""

    where = ""

    def publish(self) -> State:
        if self.where == "committing":
            halt()
        return super().publish()

    def remove(self, state: State) -> None:
        if self.where == "published":
            halt()
        super().remove(state)


def main(folder: str, where: str) -> None:
    keywords = Keywords(Path(folder))
    keywords._states.__class__ = HaltingStates
    HaltingStates.where = where
    keywords.add("b", ["blue bird"])
    if where == "added":
        halt()
    keywords.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
