"""A block of workers as arrays: who they are, what they may do, what they cost."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date

import numpy as np

from mcp_lakehouse.story.certificates import CERTIFICATES, NAMES
from mcp_lakehouse.story.drawing import Bools, Days, Draw, Floats, Ints
from mcp_lakehouse.story.names import FAMILY, GIVEN
from mcp_lakehouse.story.places import CITIES, STATES
from mcp_lakehouse.story.roles import ROLES

# The day on which the story is told; whatever is "now" in it is this day.
TODAY = date(2026, 3, 2)
_EPOCH = date(1970, 1, 1)
NOW = (TODAY - _EPOCH).days
# Days that no other day lies after, or before.
NEVER = np.int32(2**31 - 1)
LONG_AGO = np.int32(-1)
BLOCK = 25_000
_PURPOSE = 1
_YEAR = 365.25
_LOWEST_WAGE = 15.0
_EDUCATED = (("high school", 0.62), ("GED", 0.2), ("trade school", 0.13), ("associate degree", 0.05))
EDUCATION = tuple(name for name, _ in _EDUCATED)
_SHIFT_SHARES = (0.46, 0.17, 0.15, 0.22)
_TRAVEL = (10, 15, 25, 40, 60)


@dataclass(frozen=True, slots=True)
class Workers:
    """`n` workers, one array for each fact; `issued` and `expires` are (n, certificates) in days since 1970.

    Who never had a certificate has `issued` NEVER and `expires` LONG_AGO there; one for life expires NEVER.
    """

    first: int
    given: Ints
    middle: Ints
    family: Ints
    role: Ints
    city: Ints
    place: Ints
    line: Ints
    shift: Ints
    years: Ints
    rate: Floats
    quality: Floats
    skills: Ints
    travel: Ints
    education: Ints
    issued: Days
    expires: Days

    def __len__(self) -> int:
        return len(self.role)

    def held(self, day: int) -> Bools:
        """(n, certificates): which are valid on a day."""
        return np.asarray((self.issued <= day) & (self.expires >= day))


def make_workers(seed: int, first: int, count: int) -> Workers:
    """The workers numbered `first` (a multiple of BLOCK) to `first + count - 1`.

    They do not depend on `count`: the first of many are the same as a few.
    """
    block = _block(seed, first)
    facts = (field.name for field in fields(Workers) if field.name != "first")
    return replace(block, **{name: getattr(block, name)[:count] for name in facts})


def _block(seed: int, first: int) -> Workers:
    draw, count = Draw(seed, _PURPOSE, first), BLOCK
    role = draw.pick([each.share for each in ROLES], count)
    city = draw.pick([each.share for each in CITIES], count)
    least = np.array([each.least for each in ROLES])[role]
    years = (least - np.log1p(-draw.uniform(count)) * 6.0).clip(0, 38).astype(np.int64)
    quality = draw.around(count)
    wage = np.array([each.wage for each in ROLES])[role]
    level = np.array([STATES[each.state].wages for each in CITIES])[city]
    rate = wage * level * (1 + 0.014 * years.clip(max=20)) * (1 + 0.03 * quality) * (1 + 0.025 * draw.around(count))
    issued, expires = _certificates(draw, role, years)
    return Workers(
        first=first,
        given=draw.below(len(GIVEN), count),
        # 26 stands for no middle initial; without X, which looks made up.
        middle=np.where(draw.chance(0.35, count), draw.below(23, count), 26),
        family=draw.below(len(FAMILY), count),
        role=role,
        city=city,
        place=draw.below(100, count),
        line=draw.below(100, count),
        shift=draw.pick(_SHIFT_SHARES, count),
        years=years,
        rate=(rate.clip(_LOWEST_WAGE) * 20).round() / 20,
        quality=quality,
        skills=_skills(draw, count),
        travel=np.array(_TRAVEL)[draw.below(len(_TRAVEL), count)],
        education=draw.pick([share for _, share in _EDUCATED], count),
        issued=issued,
        expires=expires,
    )


def _skills(draw: Draw, count: int) -> Ints:
    """Bits over the eight skills of the worker's role, at least one."""
    bits = (draw.uniform(count, 8) < 0.45) @ (1 << np.arange(8))
    return np.where(bits == 0, 1 << draw.below(8, count), bits)


def _certificates(draw: Draw, role: Ints, years: Ints) -> tuple[Days, Days]:
    count, kinds = len(role), len(CERTIFICATES)
    share, kept = np.zeros((len(ROLES), kinds)), np.zeros((len(ROLES), kinds), dtype=bool)
    for number, each in enumerate(ROLES):
        for name, of_100 in each.holds:
            share[number, NAMES.index(name)] = of_100 / 100
        for name, of_100 in each.asks:
            kept[number, NAMES.index(name)] = of_100 == 100
    holds = draw.uniform(count, kinds) < share[role]
    valid_days = np.array([each.years * _YEAR or 30 * _YEAR for each in CERTIFICATES])
    # Some let a certificate lapse: it was issued longer ago than it is valid.
    oldest = valid_days * np.where(kept[role], 1.02, 1.45)
    # Nobody took a course much before the first job.
    age = draw.uniform(count, kinds) * np.minimum(oldest, (years[:, None] + 1) * _YEAR)
    issued = np.where(holds, NOW - age, NEVER).astype(np.int32)
    for_life = np.array([each.years == 0 for each in CERTIFICATES])
    expires = np.where(for_life, NEVER, issued + valid_days.astype(np.int32)[None, :].astype(np.int64))
    return issued, np.where(holds, expires, LONG_AGO).astype(np.int32)
