"""Contracts, and who filled them.

Workers of one role and state are split into crews, and each crew works off contracts one after the
other: so nobody is in two places at once, and everybody works in the state they live in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcp_lakehouse.story.certificates import NAMES
from mcp_lakehouse.story.clients import Clients
from mcp_lakehouse.story.drawing import Bools, Days, Draw, Floats, Ints
from mcp_lakehouse.story.places import CITIES, STATES
from mcp_lakehouse.story.roles import ROLES, TRADES
from mcp_lakehouse.story.workers import NOW, Workers

OUTCOMES = ("completed", "ended_early", "no_show", "active", "booked")
COMPLETED, ENDED_EARLY, NO_SHOW, ACTIVE, BOOKED = range(len(OUTCOMES))
_PURPOSE = 3
_CREW = 12
_CONTRACTS_A_CREW = 5
# Of all workers, how many have ever been placed by the agency.
_PLACED = 0.6
_STARTED_DAYS_AGO = (420, 640)
_GAP_DAYS = (4, 45)
_LASTS_DAYS = (10, 190)
# Contracts are known so far ahead.
_AHEAD_DAYS = 60
_HOURS_A_DAY = 8


@dataclass(frozen=True, slots=True)
class Contracts:
    """One array for each fact of contracts; `asks` is (n, certificates), days are since 1970, both included."""

    client: Ints
    role: Ints
    city: Ints
    site: Ints
    shift: Ints
    start: Ints
    end: Ints
    headcount: Ints
    pay: Floats
    asks: Bools

    def __len__(self) -> int:
        return len(self.role)


@dataclass(frozen=True, slots=True)
class Fills:
    """Who worked on which contract (positions in the block); `rating` is 0 where there is none."""

    contract: Ints
    worker: Ints
    start: Ints
    end: Ints
    outcome: Ints
    hours: Ints
    rating: Ints

    def __len__(self) -> int:
        return len(self.contract)


def make_contracts(seed: int, workers: Workers, clients: Clients) -> tuple[Contracts, Fills]:
    """The contracts that this block of workers worked on, and their fills, by contract and start."""
    draw = Draw(seed, _PURPOSE, workers.first)
    members, starts, sizes = _crews(draw, workers)
    crew, contracts = _offered(draw, workers, clients, members[starts], sizes)
    return contracts, _filled(draw, workers, contracts, members, starts[crew], sizes[crew])


def _crews(draw: Draw, workers: Workers) -> tuple[Ints, Ints, Ints]:
    """Workers in the order of their crews; where each crew starts in it; its size."""
    states = list(STATES)
    state = np.array([states.index(each.state) for each in CITIES])[workers.city]
    group = state * len(ROLES) + workers.role
    placed = np.flatnonzero(draw.chance(_PLACED, len(workers)))
    members = placed[np.argsort(group[placed], kind="stable")]
    ordered = group[members]
    fresh = np.flatnonzero(np.diff(ordered, prepend=-1))
    in_group = np.arange(len(members)) - np.repeat(fresh, np.diff(fresh, append=len(members)))
    starts = np.flatnonzero(in_group % _CREW == 0)
    return members, starts, np.diff(starts, append=len(members))


def _offered(draw: Draw, workers: Workers, clients: Clients, leads: Ints, sizes: Ints) -> tuple[Ints, Contracts]:
    """For each contract its crew, and the contracts. A crew's first worker says role and place."""
    shape = (len(sizes), _CONTRACTS_A_CREW)
    lasts = _between(draw, _LASTS_DAYS, shape)
    steps = _between(draw, _GAP_DAYS, shape) + np.roll(lasts, 1, axis=1)
    steps[:, 0] = NOW - _between(draw, _STARTED_DAYS_AGO, shape)[:, 0]
    start = np.cumsum(steps, axis=1)
    crew, turn = np.nonzero(start <= NOW + _AHEAD_DAYS)
    count = len(crew)
    role, city = workers.role[leads][crew], workers.city[leads][crew]
    trade = np.array([TRADES.index(each.trade) for each in ROLES])[role]
    wage = np.array([each.wage for each in ROLES])[role] * np.array([STATES[c.state].wages for c in CITIES])[city]
    shift = draw.pick((0.6, 0.22, 0.18), count)
    pay = wage * (1 + 0.1 * draw.around(count) + 0.05 * (shift == 2) + 0.06)
    asks = np.zeros((len(ROLES), len(NAMES)))
    for number, each in enumerate(ROLES):
        for name, of_100 in each.asks:
            asks[number, NAMES.index(name)] = of_100 / 100
    contracts = Contracts(
        client=clients.of_trade(trade, draw.uniform(count)),
        role=role,
        city=city,
        site=draw.below(4, count),
        shift=shift,
        start=start[crew, turn],
        end=start[crew, turn] + lasts[crew, turn] - 1,
        headcount=1 + draw.below(sizes[crew] + sizes[crew] // 4, count),
        pay=(pay.clip(15.0) * 4).round() / 4,
        asks=draw.uniform(count, len(NAMES)) < asks[role],
    )
    return crew, contracts


def _filled(draw: Draw, workers: Workers, contracts: Contracts, members: Ints, starts: Ints, sizes: Ints) -> Fills:
    """Take from each contract's crew those who may and want to, up to its headcount."""
    contract = np.repeat(np.arange(len(contracts)), sizes)
    firsts = np.cumsum(sizes) - sizes
    place = np.arange(len(contract)) - firsts[contract]
    # Each contract asks the crew's people in another order.
    asked = (place + draw.below(sizes, len(contracts))[contract]) % sizes[contract]
    worker = members[starts[contract] + asked]
    start = contracts.start[contract]
    valid = (workers.issued[worker] <= start[:, None]) & (workers.expires[worker] >= start[:, None])
    may = (valid | ~contracts.asks[contract]).all(axis=1)
    taken = may & (draw.uniform(len(contract)) < _likely(contracts)[contract])
    before: Ints = np.cumsum(taken) - taken
    taken &= before - before[firsts][contract] < contracts.headcount[contract]
    return _went(draw, workers, contracts, contract[taken], worker[taken])


def _likely(contracts: Contracts) -> Floats:
    """How likely an able worker takes a contract: pay draws, scarce roles, nights and far-off starts do not."""
    level = np.array([STATES[each.state].wages for each in CITIES])[contracts.city]
    market = np.array([each.wage for each in ROLES])[contracts.role] * level * 1.06
    scarce = np.array([each.scarce for each in ROLES])[contracts.role]
    likely = 0.8 + 1.2 * (contracts.pay / market - 1) - 0.25 * scarce - 0.1 * (contracts.shift == 2)
    ahead = (contracts.start - NOW).clip(min=0) / (_AHEAD_DAYS * 1.25)
    return np.asarray(likely.clip(0.1, 0.97) * (1 - ahead))


def _went(draw: Draw, workers: Workers, contracts: Contracts, contract: Ints, worker: Ints) -> Fills:
    """How each fill went: its days, outcome, hours and rating."""
    count = len(contract)
    start, planned = contracts.start[contract], contracts.end[contract]
    outcome = np.where(start > NOW, BOOKED, np.where(planned >= NOW, ACTIVE, COMPLETED))
    quality = workers.quality[worker]
    early = start + ((planned - start) * draw.uniform(count)).astype(np.int64)
    leaves = (early < NOW) & (draw.uniform(count) < 0.1 - 0.03 * quality)
    outcome = np.where((start <= NOW) & leaves, ENDED_EARLY, outcome)
    outcome = np.where((start < NOW) & (draw.uniform(count) < 0.03 - 0.012 * quality), NO_SHOW, outcome)
    end = np.select([outcome == NO_SHOW, outcome == ENDED_EARLY], [start, early], planned)
    worked = np.where((outcome == NO_SHOW) | (outcome == BOOKED), 0, _weekdays(start, np.minimum(end, NOW - 1)))
    rated = np.select([outcome == NO_SHOW, outcome == ENDED_EARLY], [1.0, 2.6 + 0.5 * quality], 4.1 + 0.5 * quality)
    rating = (rated + 0.5 * draw.around(count)).round().clip(1, 5).astype(np.int64)
    return Fills(
        contract=contract,
        worker=worker,
        start=start,
        end=end,
        outcome=outcome,
        hours=worked * _HOURS_A_DAY,
        rating=np.where(outcome < ACTIVE, rating, 0),
    )


def _weekdays(first: Ints, last: Ints) -> Ints:
    """Days from Monday to Friday, `first` and `last` included; 0 where it ends before it starts."""
    counted = np.busday_count(first.astype("datetime64[D]"), (last + 1).astype("datetime64[D]"))
    return np.asarray(counted).clip(min=0)


def _between(draw: Draw, limits: tuple[int, int], shape: tuple[int, int]) -> Ints:
    low, high = limits
    return (low + draw.uniform(*shape) * (high - low + 1)).astype(np.int64)


def last_days(workers: Workers, fills: Fills) -> tuple[Days, Ints, Floats]:
    """For each worker: last day of a fill (-1: none), how many were rated, and their mean rating."""
    last = np.full(len(workers), -1, dtype=np.int32)
    np.maximum.at(last, fills.worker, fills.end.astype(np.int32))
    rated = np.bincount(fills.worker, weights=fills.rating > 0, minlength=len(workers)).astype(np.int64)
    total = np.bincount(fills.worker, weights=fills.rating, minlength=len(workers))
    return last, rated, np.asarray(total / rated.clip(min=1))
