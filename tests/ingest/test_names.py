"""Names of datasets and columns."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.names import as_name, check_name, column_names, stem


@pytest.mark.parametrize("name", ["sales", "_x1", "größe", "продажи", "売上", "a" * 64])
def test_names_of_any_script_are_valid(name: str) -> None:
    assert check_name(name) == name


def test_names_are_kept_in_lower_case_and_composed() -> None:
    assert check_name("Sales") == "sales"
    assert check_name("u\u0308ber") == "\u00fcber"


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("my data", "my_data"),
        ("2024", "t_2024"),
        ("a.b", "a_b"),
        ("", "dataset"),
        ("system", "system_data"),
        ("information_schema", "information_schema_data"),
        ("a" * 65, "a" * 64),
        ('x"; DROP TABLE y', "x_drop_table_y"),
        ("🦆", "dataset"),
    ],
)
def test_other_names_are_refused_with_a_suggestion(name: str, suggested: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_name(name)
    assert repr(suggested) in (caught.value.hint or "")


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=100))
def test_any_text_becomes_a_valid_name(text: str) -> None:
    name = as_name(text)
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("file", "expected"), [("a/b.csv", "b"), ("b.csv.gz", "b"), ("b.v2.json", "b.v2"), ("b", "b"), (".env", ".env")]
)
def test_a_stem_is_without_folders_and_endings(file: str, expected: str) -> None:
    assert stem(file) == expected


def test_columns_get_distinct_names() -> None:
    names, notes = column_names(["a", " A ", "", "a_2", "b\nc", "a", "\t"])
    assert names == ["a", "A_3", "column_3", "a_2", "b c", "a_4", "column_7"]
    assert len(notes) == 2


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=5), max_size=30))
def test_no_two_columns_share_a_name_in_any_case(raw: list[str]) -> None:
    names, _ = column_names(raw)
    assert len({name.casefold() for name in names}) == len(raw)
    assert all(names)
