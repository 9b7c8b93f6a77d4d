"""Arrays as Arrow tables, with the columns that people see."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mcp_lakehouse.story.certificates import NAMES
from mcp_lakehouse.story.clients import Clients
from mcp_lakehouse.story.contracts import OUTCOMES, Contracts, Fills, last_days
from mcp_lakehouse.story.drawing import Bools, Days, Draw, Ints
from mcp_lakehouse.story.names import FAMILY, GIVEN, SITE
from mcp_lakehouse.story.places import CITIES
from mcp_lakehouse.story.roles import ROLE_NAMES, ROLES, SHIFTS, TRADES
from mcp_lakehouse.story.workers import LONG_AGO, NEVER, NOW, Workers

STATUSES = ("available", "assigned", "booked", "inactive")
AVAILABLE, ASSIGNED, BOOKED, INACTIVE = range(len(STATUSES))
_PURPOSE = 4
_MIDDLE = (*(f" {letter}." for letter in "ABCDEFGHIJKLMNOPRSTVWYZ"), "", "", "", "")
# Free on some day of the next weeks, if not free now.
_SOON_DAYS = 45
_LETTERS = str.maketrans("", "", "'.- ")


def worker_table(seed: int, workers: Workers, fills: Fills) -> pa.Table:
    """One row for each worker; sets (skills, certifications) are texts joined by "; ", an empty one is null."""
    held = workers.held(NOW)
    status, free = _availability(Draw(seed, _PURPOSE, workers.first), workers, fills)
    _, rated, rating = last_days(workers, fills)
    columns = {
        "worker_id": ids("W", workers.first + np.arange(len(workers))),
        "name": names(workers),
        "role": coded(workers.role, ROLE_NAMES),
        "skills": _skills(workers),
        "certifications": sets(held, NAMES),
        "expired_certifications": sets((workers.expires < NOW) & (workers.expires != LONG_AGO), NAMES),
        "city": coded(workers.city, [city.name for city in CITIES]),
        "state": coded(workers.city, [city.state for city in CITIES]),
        "zip": _placed(workers, [f"{city.zip3}{number:02}" for city in CITIES for number in range(100)], workers.place),
        "travel_miles": pa.array(workers.travel, pa.int16()),
        "status": coded(status, STATUSES),
        "available_from": days(free, status == INACTIVE),
        "shift": coded(workers.shift, SHIFTS),
        "hourly_rate": pa.array(workers.rate),
        "years_experience": pa.array(workers.years, pa.int16()),
        # Nobody has rated those who were never placed.
        "rating": pa.array(rating.round(1), mask=rated == 0),
        "phone": _placed(
            workers, [f"({city.area}) 555-01{number:02}" for city in CITIES for number in range(100)], workers.line
        ),
        "email": _emails(workers),
    }
    return pa.table(columns)


def certificate_table(workers: Workers) -> pa.Table:
    """One row for each certificate that a worker has or had; `expires_on` is null for those that hold for life."""
    worker, kind = np.nonzero(workers.issued != NEVER)
    expires = workers.expires[worker, kind]
    return pa.table(
        {
            "worker_id": ids("W", workers.first + worker),
            "certification": coded(kind, NAMES),
            "issued_on": days(workers.issued[worker, kind]),
            "expires_on": days(expires, expires == NEVER),
        }
    )


def client_table(clients: Clients) -> pa.Table:
    """One row for each client."""
    trade = np.arange(len(clients)) % len(TRADES)
    return pa.table(
        {
            "client_id": ids("K", np.arange(len(clients)), width=4),
            "name": pa.array(clients.name),
            "trade": coded(trade, TRADES),
            "city": coded(clients.city, [city.name for city in CITIES]),
            "state": coded(clients.city, [city.state for city in CITIES]),
            "client_since": pa.array(clients.since, pa.int16()),
            "contact_email": pa.array([f"staffing.{number}@example.com" for number in range(len(clients))]),
            "markup": pa.array(clients.markup),
        }
    )


def contract_table(first: int, contracts: Contracts, clients: Clients) -> pa.Table:
    """One row for each contract; they are numbered from `first`."""
    status = np.where(contracts.start > NOW, 2, np.where(contracts.end >= NOW, 1, 0))
    bill = (contracts.pay * clients.markup[contracts.client]).round(2)
    return pa.table(
        {
            "contract_id": ids("C", first + np.arange(len(contracts))),
            "client_id": ids("K", contracts.client, width=4),
            "role": coded(contracts.role, ROLE_NAMES),
            "site": pa.array(_sites(contracts, clients)),
            "city": coded(contracts.city, [city.name for city in CITIES]),
            "state": coded(contracts.city, [city.state for city in CITIES]),
            "shift": coded(contracts.shift, SHIFTS),
            "start_date": days(contracts.start),
            "end_date": days(contracts.end),
            "headcount": pa.array(contracts.headcount, pa.int16()),
            "required_certifications": sets(contracts.asks, NAMES),
            "pay_rate": pa.array(contracts.pay),
            "bill_rate": pa.array(bill),
            "status": coded(status, ("completed", "active", "upcoming")),
        }
    )


def fill_table(first: int, first_contract: int, workers: Workers, contracts: Contracts, fills: Fills) -> pa.Table:
    """One row for each worker on a contract; fills are numbered from `first`."""
    return pa.table(
        {
            "fill_id": ids("F", first + np.arange(len(fills))),
            "contract_id": ids("C", first_contract + fills.contract),
            "worker_id": ids("W", workers.first + fills.worker),
            "start_date": days(fills.start),
            "end_date": days(fills.end),
            "outcome": coded(fills.outcome, OUTCOMES),
            "hours": pa.array(fills.hours, pa.int32()),
            "pay_rate": pa.array(contracts.pay[fills.contract]),
            "rating": pa.array(fills.rating, pa.int8(), mask=fills.rating == 0),
        }
    )


def ids(letter: str, numbers: Ints, *, width: int = 6) -> pa.Array:
    """`W000042` and the like; longer where the width does not do."""
    return pc.binary_join_element_wise(letter, pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0"), "")


def coded(codes: Ints, names: Sequence[str | None]) -> pa.Array:
    """The names of codes."""
    return pa.array(names, pa.string()).take(pa.array(codes))


def sets(members: Bools, names: Sequence[str]) -> pa.Array:
    """(n, names) of booleans as texts joined by "; "; null where there is none."""
    found, codes = np.unique(members @ (1 << np.arange(members.shape[1])), return_inverse=True)
    return coded(codes.reshape(-1), [_joined(int(bits), names) for bits in found])


def days(numbers: Ints | Days, missing: Bools | None = None) -> pa.Array:
    """Days since 1970 as dates; null where `missing`."""
    return pa.array(numbers.astype(np.int32), mask=missing).cast(pa.date32())


def names(workers: Workers) -> pa.Array:
    """Full names, some with a middle initial."""
    given = pc.binary_join_element_wise(coded(workers.given, GIVEN), coded(workers.middle, _MIDDLE), "")
    return pc.binary_join_element_wise(given, coded(workers.family, FAMILY), " ")


def _joined(bits: int, names: Sequence[str]) -> str | None:
    return "; ".join(name for place, name in enumerate(names) if bits >> place & 1) or None


def _skills(workers: Workers) -> pa.Array:
    """Each role has eight skills of its own, so the text depends on role and bits."""
    texts = [_joined(bits, role.skills) for role in ROLES for bits in range(256)]
    return coded(workers.role * 256 + workers.skills, texts)


def _placed(workers: Workers, texts: list[str], number: Ints) -> pa.Array:
    """A text that depends on the city and a number below 100."""
    return coded(workers.city * 100 + number, texts)


def _emails(workers: Workers) -> pa.Array:
    given, family = ([_plain(name) for name in names] for names in (GIVEN, FAMILY))
    number = pa.array(workers.first + np.arange(len(workers))).cast(pa.string())
    before = pc.binary_join_element_wise(coded(workers.given, given), coded(workers.family, family), number, ".")
    return pc.binary_join_element_wise(before, "example.com", "@")


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return letters.translate(_LETTERS).lower()


def _sites(contracts: Contracts, clients: Clients) -> list[str]:
    places = zip(contracts.client.tolist(), contracts.city.tolist(), contracts.site.tolist(), strict=True)
    return [
        f"{clients.name[client].split()[0]} {CITIES[city].name} {SITE[TRADES[client % len(TRADES)]][site]}"
        for client, city, site in places
    ]


def _availability(draw: Draw, workers: Workers, fills: Fills) -> tuple[Ints, Ints]:
    """Status (position in STATUSES) and first free day of each worker (of no meaning for the inactive)."""
    count = len(workers)
    last, _, _ = last_days(workers, fills)
    assigned = np.zeros(count, dtype=bool)
    assigned[fills.worker[(fills.start <= NOW) & (fills.end >= NOW)]] = True
    busy = last >= NOW
    inactive = ~busy & draw.chance(0.08, count)
    soon = ~busy & draw.chance(0.3, count)
    later = np.where(soon, NOW + 1 + draw.below(_SOON_DAYS, count), NOW)
    status = np.select([assigned, busy, inactive], [ASSIGNED, BOOKED, INACTIVE], AVAILABLE)
    return status, np.asarray(np.where(busy, last.astype(np.int64) + 1, later))
