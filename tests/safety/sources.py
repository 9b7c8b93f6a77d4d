"""The fixture datasets, as files. Everything is computed, so the same rows come out on every machine."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

UTC = dt.UTC
START = dt.datetime(2024, 1, 1)
ZONES = 8
TRIPS_PER_LOAD = 200
# `trips` is loaded three times, so that it has versions to travel to.
TRIP_LOADS = 3

# Dataset name -> its source files in load order; each load after the first is an append.
SOURCES: Mapping[str, tuple[str, ...]] = {
    "trips": tuple(f"trips_{load}.parquet" for load in range(TRIP_LOADS)),
    "zones": ("zones.csv",),
    "people": ("people.parquet",),
    "prices": ("prices.parquet",),
    "orders": ("orders.parquet",),
    "events": ("events.ndjson",),
    "words": ("words.csv",),
    "документы": ("документы.csv",),
}


def write_sources(folder: Path) -> None:
    """Write every source file of `SOURCES` into `folder`, which exists."""
    for load, name in enumerate(SOURCES["trips"]):
        pq.write_table(_trips(load), folder / name)
    pq.write_table(_people(), folder / "people.parquet")
    pq.write_table(_prices(), folder / "prices.parquet")
    pq.write_table(_orders(), folder / "orders.parquet")
    with (folder / "events.ndjson").open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(event, ensure_ascii=False) + "\n" for event in _events())
    for name, rows in (("zones.csv", _zones()), ("words.csv", _words()), ("документы.csv", _documents())):
        with (folder / name).open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows(rows)


def _trips(load: int) -> pa.Table:
    ids = range(load * TRIPS_PER_LOAD, (load + 1) * TRIPS_PER_LOAD)
    started = [START + dt.timedelta(minutes=37 * i) for i in ids]
    return pa.table(
        {
            "trip_id": pa.array(ids, pa.int64()),
            "started_at": pa.array(started, pa.timestamp("us")),
            "ended_at": pa.array([at + dt.timedelta(minutes=5 + i % 50) for i, at in zip(ids, started, strict=True)]),
            "pickup_zone": pa.array([i % ZONES for i in ids], pa.int32()),
            "dropoff_zone": pa.array([(i * 3 + 1) % ZONES for i in ids], pa.int32()),
            "distance_km": pa.array([(i * 7 % 100) / 4 for i in ids], pa.float64()),
            "fare": pa.array([Decimal(i * 13 % 4000) / 100 for i in ids], pa.decimal128(8, 2)),
            "payment": pa.array([("card", "cash", "app")[i % 3] for i in ids]),
            "rider_id": pa.array([None if i % 10 == 0 else i % 25 for i in ids], pa.int64()),
            "tip": pa.array([None if i % 4 == 0 else i % 5 / 2 for i in ids], pa.float64()),
        }
    )


def _zones() -> Iterator[list[object]]:
    # Column names that are keywords, on purpose.
    yield ["zone_id", "name", "order", "group", "opened", "a b"]
    names = ["Harbour", "Old Town", "Hill", "Airport", "Campus", "Market; DROP TABLE trips", "Mühle", "東口"]
    for i, name in enumerate(names):
        yield [i, name, 100 - i, "north" if i % 2 else "south", dt.date(2000 + i, 1 + i, 1).isoformat(), i * 1.5]


def _people() -> pa.Table:
    count = 12
    geo = pa.struct([("lat", pa.float64()), ("lon", pa.float64())])
    address = pa.struct([("street", pa.string()), ("city", pa.string()), ("geo", geo)])
    visits = pa.list_(pa.struct([("at", pa.timestamp("us")), ("zone", pa.int32())]))
    cities = ("Lyon", "Porto", "Gdańsk")

    def each(make: Any, kind: pa.DataType) -> pa.Array:
        return pa.array([make(i) for i in range(count)], kind)

    return pa.table(
        {
            "person_id": each(lambda i: i, pa.int64()),
            "name": each(lambda i: f"person {i:02d}", pa.string()),
            "address": each(
                lambda i: {"street": f"{i} Road", "city": cities[i % 3], "geo": {"lat": 40.0 + i, "lon": -8.0 - i}},
                address,
            ),
            "tags": each(lambda i: [f"t{j}" for j in range(i % 4)], pa.list_(pa.string())),
            "scores": each(lambda i: [("math", i), ("art", 10 - i)], pa.map_(pa.string(), pa.int32())),
            "visits": each(lambda i: [{"at": START + dt.timedelta(days=j), "zone": j} for j in range(i % 3)], visits),
            "balance": each(lambda i: Decimal(i * 10_001) / 10_000, pa.decimal128(18, 4)),
            "born": each(lambda i: dt.date(1980 + i, 2, 28), pa.date32()),
            "seen": each(lambda i: dt.datetime(2024, 3, 31, i, tzinfo=UTC), pa.timestamp("us", tz="UTC")),
            "photo": each(lambda i: bytes([i, 0, 255]), pa.binary()),
            "profile": each(
                lambda i: json.dumps({"nick": f"n{i}", "langs": ["sql", "py"][: i % 3], "deep": {"k": i}}), pa.string()
            ),
            "active": each(lambda i: None if i == 5 else i % 2 == 0, pa.bool_()),
            "height": each(lambda i: float("nan") if i == 7 else 1.5 + i / 100, pa.float32()),
            "reports_to": each(lambda i: None if i == 0 else (i - 1) // 2, pa.int64()),
        }
    )


def _prices() -> pa.Table:
    rows = [
        (zone, START + dt.timedelta(hours=6 * step), 2.0 + zone + step / 10)
        for zone in range(ZONES)
        for step in range(40)
    ]
    return pa.table(
        {
            "zone": pa.array([row[0] for row in rows], pa.int32()),
            "at": pa.array([row[1] for row in rows], pa.timestamp("us")),
            "price": pa.array([row[2] for row in rows], pa.float64()),
        }
    )


def _orders() -> pa.Table:
    quarters = ("q1", "q2", "q3", "q4")
    rows = [(year, quarter, region) for year in (2022, 2023, 2024) for quarter in quarters for region in ("eu", "us")]
    return pa.table(
        {
            "year": pa.array([row[0] for row in rows], pa.int32()),
            "quarter": pa.array([row[1] for row in rows]),
            "region": pa.array([row[2] for row in rows]),
            "amount": pa.array([(i + 1) * 10 for i in range(len(rows))], pa.int64()),
        }
    )


def _events() -> Iterator[dict[str, object]]:
    for i in range(30):
        yield {
            "id": i,
            "kind": ("click", "view", "buy")[i % 3],
            "user": {"id": i % 5, "name": f"u{i % 5}"},
            "items": [{"sku": f"s{j}", "n": j} for j in range(i % 4)],
        }


def _words() -> Iterator[list[object]]:
    yield ["id", "word", "select", "table", "read_csv"]
    for i, word in enumerate(
        ["COPY", "attach 'x'", "-- not a comment", "/* nor this */", "pragma", "it's; fine", "😀 ok"]
    ):
        yield [i, word, i * 2, f"row {i}", i % 2]


def _documents() -> Iterator[list[object]]:
    yield ["номер", "название", "год", "größe"]
    for i, title in enumerate(["Война и мир", "Идиот", "Мёртвые души", "Чайка"]):
        yield [i, title, 1869 + i, i * 2.5]
