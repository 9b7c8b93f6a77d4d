"""The agency's clients: companies of a trade, with sites wherever their trade takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcp_lakehouse.story.drawing import Draw, Floats, Ints
from mcp_lakehouse.story.names import COMPANY, SUFFIX, TRADE
from mcp_lakehouse.story.places import CITIES
from mcp_lakehouse.story.roles import TRADES

_PURPOSE = 2
_FEWEST = 10
_WORKERS_A_CLIENT = 500


@dataclass(frozen=True, slots=True)
class Clients:
    """Clients as arrays; client `i` is of trade `i % len(TRADES)`. What it pays is the wage times `markup`."""

    name: list[str]
    city: Ints
    since: Ints
    markup: Floats

    def __len__(self) -> int:
        return len(self.name)

    def of_trade(self, trades: Ints, draws: Floats) -> Ints:
        """One client for each trade asked for; `draws` (0 to 1) choose among those of the trade."""
        return (draws * (len(self) // len(TRADES))).astype(np.int64) * len(TRADES) + trades


def make_clients(seed: int, workers: int) -> Clients:
    """As many clients as an agency with so many workers has; always a multiple of the number of trades."""
    count = -(-max(_FEWEST, workers // _WORKERS_A_CLIENT) // len(TRADES)) * len(TRADES)
    draw = Draw(seed, _PURPOSE)
    first, second, suffix = draw.uniform(3, count)
    names: list[str] = []
    taken: set[str] = set()
    for number in range(count):
        trade = TRADE[TRADES[number % len(TRADES)]]
        words = (
            COMPANY[int(first[number] * len(COMPANY))],
            trade[int(second[number] * len(trade))],
            SUFFIX[int(suffix[number] * len(SUFFIX))],
        )
        name = " ".join(words)
        # Large agencies have more clients than there are names.
        if name in taken:
            name = f"{name} {number}"
        taken.add(name)
        names.append(name)
    return Clients(
        names,
        city=draw.pick([each.share for each in CITIES], count),
        since=2008 + draw.below(18, count),
        markup=(1.32 + 0.28 * draw.uniform(count)).round(3),
    )
