"""How a nearest-neighbour question is served: a cost model without a side effect, and the account of what was done.

The costs were measured on 384-dimensional vectors (`python -m benchmarks vectors` measures them again); only their
ratios matter for a choice, so that another machine makes the same one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["nothing", "exact", "quantised", "graph"]
Way = Literal["nothing", "gather", "scan", "quantised gather", "quantised scan", "probe", "graph"]

# A filter that lets nearly all rows pass (rows that were deleted since the build) is no reason to leave the graph.
_NEARLY_ALL = 0.9
# Below this share of its nearest that match, a walk through the graph wanders; measured, its recall falls too.
_WANDERS = 0.05
# Candidates that the graph keeps for ten rows. More rows need more, though not as many times more (measured: ten times
# the rows, twice the candidates at the same recall), and never fewer than two for each.
_EFFORT = 100
_EFFORT_ROWS = 10
_EFFORT_OF_A_ROW = 2
_PROBED = 100
_PROBED_OF_A_ROW = 4
# So many times as far as the rows are expected where a filter has nothing to do with nearness: fifty are found within
# it in at least 97 of 100 cases (the binomial distribution's lower tail).
_PROBED_BEYOND = 1.3


@dataclass(frozen=True, slots=True)
class Costs:
    """Nanoseconds: for one number of a row that is looked at, and how long an answer may take for its soundness.

    Gathering picks single rows, scanning runs over all; `graph` is for one number of a candidate that is kept.
    """

    gather: float = 0.5
    scan: float = 0.34
    quantised_gather: float = 0.17
    quantised_scan: float = 0.11
    graph: float = 10.0
    # Below half a millisecond nothing is won by anything but the vectors themselves.
    always_exact: float = 500_000.0
    # Within two, a filtered answer comes from every row that matches: a graph can miss some.
    filtered_exact: float = 2_000_000.0


MEASURED = Costs()


@dataclass(frozen=True, slots=True)
class Plan:
    """What was done: how, and over how many rows of how many."""

    kind: Kind
    matching: int
    total: int

    @property
    def text(self) -> str:
        """For a person: "exact over 512 of 100,000 rows"."""
        return f"{self.kind} over {self.matching:,} of {self.total:,} rows"


@dataclass(frozen=True, slots=True)
class Question:
    """What a choice depends on; `k` is at most `matching`, and `effort` is what the graph needs for ten rows."""

    matching: int
    total: int
    k: int
    dimensions: int
    quantised: bool
    graph: bool
    exact: bool = False
    effort: int = _EFFORT
    costs: Costs = MEASURED

    @property
    def filtered(self) -> bool:
        """Whether some rows may not be found."""
        return self.matching < self.total


def effort(question: Question) -> int:
    """Candidates that a walk through the graph keeps."""
    return _effort_for(question, question.k)


def probe_depth(question: Question) -> tuple[int, int]:
    """How many of the nearest a probe looks at, and the candidates it keeps: the nearer half is to be sure."""
    expected = question.k * question.total / max(1, question.matching)
    depth = max(_PROBED, _PROBED_OF_A_ROW * question.k, math.ceil(2 * _PROBED_BEYOND * expected))
    return depth, max(depth, _effort_for(question, depth // 2))


def choose(question: Question, *, passing: float | None = None) -> Way:
    """The cheapest way that is sound; `passing` is the share of the graph's nearest that match, once it is known."""
    if question.matching == 0 or question.k == 0:
        return "nothing"
    exact, exact_cost = _exact(question)
    if question.exact or exact_cost <= question.costs.always_exact:
        return exact
    way, cost = min((exact, exact_cost), _quantised(question), key=lambda each: each[1])
    if not question.graph:
        return way
    if not question.filtered:
        return "graph" if _graph_cost(question, effort(question)) < cost else way
    if passing is not None:
        worth = passing >= _WANDERS and _graph_cost(question, effort(question)) / passing < cost
        return "graph" if worth else way
    if cost <= question.costs.filtered_exact and question.matching < _NEARLY_ALL * question.total:
        return way
    return "probe" if _graph_cost(question, probe_depth(question)[1]) < cost else way


def kind_of(way: Way) -> Kind:
    """What the account calls a way."""
    if way == "nothing":
        return "nothing"
    if way in ("gather", "scan"):
        return "exact"
    return "quantised" if way in ("quantised gather", "quantised scan") else "graph"


def _exact(question: Question) -> tuple[Way, float]:
    gather = question.costs.gather * question.dimensions * question.matching
    scan = question.costs.scan * question.dimensions * question.total
    return ("gather", gather) if gather < scan else ("scan", scan)


def _quantised(question: Question) -> tuple[Way, float]:
    if not question.quantised:
        return "scan", float("inf")
    gather = question.costs.quantised_gather * question.dimensions * question.matching
    scan = question.costs.quantised_scan * question.dimensions * question.total
    rescore = question.costs.gather * question.dimensions * 4 * question.k
    return ("quantised gather", gather + rescore) if gather < scan else ("quantised scan", scan + rescore)


def _graph_cost(question: Question, candidates: int) -> float:
    return question.costs.graph * question.dimensions * candidates


def _effort_for(question: Question, rows: int) -> int:
    grown = question.effort * math.sqrt(max(rows, _EFFORT_ROWS) / _EFFORT_ROWS)
    return max(math.ceil(grown), _EFFORT_OF_A_ROW * rows)
