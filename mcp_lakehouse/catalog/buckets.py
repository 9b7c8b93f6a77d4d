"""What an administrator asks of the buckets: which there are, whether they answer, what lives in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from mcp_lakehouse.catalog.catalog import Catalog
from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.records import BucketList, BucketState
from mcp_lakehouse.store.bucket import Bucket
from mcp_lakehouse.store.homes import RESCUE


def bucket_list(catalog: Catalog, rescue: Bucket | None, waiting: Callable[[], Sequence[str]]) -> BucketList:
    """Every bucket, asked now (one whose circuit is open says so without being asked); the rescue bucket last."""
    names = {home.name: 0 for home in catalog.homes}
    for dataset in catalog.all():
        names[dataset.home.name] += 1
    states = [_state(each.name, each.bucket, names[each.name], partial(catalog.asked, each)) for each in catalog.homes]
    if rescue is None:
        return BucketList(states)
    ids: list[str] = []
    states.append(_state(RESCUE, rescue, 0, lambda: ids.extend(waiting())))
    return BucketList(states, len(ids) if states[-1].answers else None)


def _state(name: str, bucket: Bucket, datasets: int, ask: Callable[[], object]) -> BucketState:
    problem: LakehouseError | None = None
    try:
        ask()
    except LakehouseError as error:
        problem = error
    return BucketState(
        name=name,
        url=bucket.url,
        datasets=datasets,
        answers=problem is None,
        problem=str(problem) if problem is not None else None,
    )
