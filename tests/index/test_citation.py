"""The address of a passage survives being written and read, and nothing else passes for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.index.citation import PassageId

pairs = st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))


@given(
    st.builds(
        PassageId,
        dataset=st.sampled_from(["trips", "résumés", "履歴書", "a_b"]),
        version=st.integers(0, 10**9),
        row=st.integers(0, 10**12),
        chunk=st.none() | st.integers(0, 10**6),
        chars=st.none() | pairs,
        digest=st.none() | st.text("0123456789abcdef", min_size=16, max_size=16),
        page=st.none() | st.integers(1, 10**5),
        lines=st.none() | pairs,
    )
)
def test_an_address_is_read_as_it_was_written(address: PassageId) -> None:
    assert PassageId.parse(str(address)) == address


def test_the_form_is_the_published_one() -> None:
    assert str(PassageId("trips", 3, 14, chunk=2)) == "lakehouse://datasets/trips/v3/rows/14#chunk=2"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "trips",
        "lakehouse://datasets/trips",
        "lakehouse://datasets/trips/v3/rows/x",
        "lakehouse://datasets/../v3/rows/1/2",
        "lakehouse://results/abc",
        "lakehouse://datasets/trips/v3/rows/1#chunk=-1",
        "lakehouse://datasets/trips/v99999999999999999999999/rows/1",
        "file:///etc/passwd",
    ],
)
def test_anything_else_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(InvalidInput, match="not the id of a passage") as caught:
        PassageId.parse(text)
    assert "lakehouse://datasets/" in str(caught.value.hint)
