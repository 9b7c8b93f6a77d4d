"""Which columns can be searched: those that hold text, and what is told when others take their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lake.places import folder_place, inline, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import InvalidInput, NotFound

PRODUCTS = "sku,name,description,price_eur\n1,Lamp,A lamp that folds.,19.5\n2,Chair,A chair that turns.,49.25\n"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakehouse]:
    with folder_place(tmp_path_factory.mktemp("columns")).open() as opened:
        yield opened


@pytest.fixture(scope="module")
def products(lake: Lakehouse) -> str:
    lake.ingest(inline("products", PRODUCTS), text=["name", "description"])
    return "products"


@pytest.mark.parametrize("columns", ["price_eur", ["PRICE_EUR"], ["name", "sku"]])
def test_an_index_over_columns_without_text_is_refused(lake: Lakehouse, products: str, columns: Any) -> None:
    before = lake.describe_dataset(products)
    with pytest.raises(InvalidInput, match=r"only text can be searched; .*(DOUBLE|BIGINT)") as caught:
        lake.build_index(products, columns=columns)
    assert "columns with text: name, description" in str(caught.value.hint)
    after = lake.describe_dataset(products)
    assert (after.version, after.text, after.index) == (before.version, ["name", "description"], before.index)


def test_an_ingest_that_names_columns_without_text_changes_nothing(lake: Lakehouse, products: str) -> None:
    with pytest.raises(InvalidInput, match="only text can be searched") as caught:
        lake.ingest(inline("prices", PRODUCTS), text=["price_eur"])
    assert "name, description" in str(caught.value.hint)
    with pytest.raises(NotFound):
        lake.describe_dataset("prices")
    more = PRODUCTS.replace("Lamp", "Torch")
    with pytest.raises(InvalidInput, match="price_eur"):
        lake.ingest(inline(products, more), mode="append", text=["price_eur"])
    assert rows(lake, "SELECT count(*) FROM products") == [[2]]


def test_lists_of_texts_can_be_searched(lake: Lakehouse) -> None:
    text = '{"id": 1, "tags": ["otter", "river"]}\n{"id": 2, "tags": ["swift"]}\n'
    lake.ingest({"name": "tagged.jsonl", "text": text}, text=["tags"])
    assert lake.search("otter", datasets="tagged", k=1).results[0].columns["id"] == 1
    assert lake.build_index("tagged", columns=["tags"]).note is None


def test_an_index_over_other_columns_says_what_it_searches_now(lake: Lakehouse) -> None:
    lake.ingest(inline("goods", PRODUCTS), text=["name", "description"])
    report = lake.build_index("goods", columns=["description"])
    assert report.note == "searches description instead of name, description"
    assert lake.build_index("goods", columns=["description"]).note is None
    lake.rollback_index("goods")
    told = lake.ingest(inline("goods", PRODUCTS.replace("Lamp", "Torch")), text=["name"])
    assert "searches name instead of description" in told.notes


def test_a_first_index_over_named_columns_replaces_nothing(lake: Lakehouse) -> None:
    lake.ingest(inline("unsearched", PRODUCTS))
    assert lake.build_index("unsearched", columns=["name"]).note is None
