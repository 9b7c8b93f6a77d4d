"""What an administrator asks of the buckets: which there are, whether they answer, what lives in them."""

from __future__ import annotations

from mcp_lakehouse.catalog.catalog import Catalog
from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.records import BucketList, BucketState


def bucket_list(catalog: Catalog) -> BucketList:
    """Every bucket, asked now (one whose circuit is open says so without being asked)."""
    names = {home.name: 0 for home in catalog.homes}
    for dataset in catalog.all():
        names[dataset.home.name] += 1
    states = []
    for home in catalog.homes:
        problem: LakehouseError | None = None
        try:
            home.bucket.folders("")
        except LakehouseError as error:
            problem = error
        states.append(
            BucketState(
                name=home.name,
                url=home.bucket.url,
                datasets=names[home.name],
                answers=problem is None,
                problem=str(problem) if problem is not None else None,
            )
        )
    return BucketList(states)
