"""What may stand in a profile, and what is told of anything else."""

from __future__ import annotations

import tomllib

import pytest

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.profile import Profile, Restriction, read_profiles


def read(text: str) -> dict[str, Profile]:
    return read_profiles(tomllib.loads(text), "lakehouse.toml")


def test_a_profile_shows_what_it_names_and_nothing_else() -> None:
    profile = read('[agency]\ndatasets = ["workers", "open_*"]\n')["agency"]
    assert profile.shows("workers")
    assert profile.shows("open_notes")
    assert not profile.shows("worker")
    assert not profile.shows("Workers")
    assert profile.rights == {"read"}
    assert read("[none]\n")["none"].datasets == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[Agency]\n", "profile 'Agency' has no usable name"),
        ("agency = 1\n", "profile 'agency' is no table"),
        ("[agency]\nwhere = 'x'\n", "unknown key 'where'"),
        ("[agency]\ndatasets = 'workers'\n", "datasets is no list of names"),
        ("[agency]\ndatasets = ['']\n", "datasets is no list of names"),
        ("[agency]\nrights = ['write']\n", "unknown right 'write'"),
        ("[agency]\n[agency.restrict.workers]\nhide = ['a']\n", "restricts 'workers', which it does not show"),
        ("[agency]\ndatasets = ['w']\n[agency.restrict.w]\nwhat = 1\n", "unknown key 'what'"),
        ("[agency]\ndatasets = ['w']\n[agency.restrict.w]\nwhere = 1\n", "where is no text"),
        ("[agency]\ndatasets = ['w']\n[agency.restrict.w]\nhide = ['a']\ngeneration = 1\n", "is of the whole dataset"),
        ("[agency]\nrights = ['admin']\ndatasets = ['w']\n[agency.restrict.w]\nhide = ['a']\n", "the right admin and"),
    ],
)
def test_what_is_wrong_is_named(text: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        read(text)


def test_another_restriction_has_another_identity() -> None:
    many = [
        Restriction(),
        Restriction(where="a"),
        Restriction(hidden=("a",)),
        Restriction(columns=("a",)),
        Restriction(masks={"a": "null"}),
    ]
    assert len({each.identity("key") for each in many} | {many[0].identity("other")}) == len(many) + 1
    assert [each.whole for each in many] == [True, False, False, False, False]
