"""What a profile is, and how `lakehouse.toml` says it.

[profiles.agency]
description = "what an agency's agents may see"
datasets = ["workers", "contracts_*"]     # names or patterns; nothing else is there
buckets = ["primary"]                     # default: all
rights = ["read"]                         # of read, ingest, index, replay, admin; default: read
sql_timeout = 10                          # any of the limits that are settings

[profiles.agency.restrict.workers]
where = "state = 'IL'"                    # rows, by the dataset's own columns
hide = ["ssn"]                            # or columns = [...]: all but these
mask = { email = "hash", phone = "left(phone, 3) || '…'" }
generation = 2                            # the index generation that serves, of a dataset that is shown whole
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.names import as_kept, is_name

RIGHTS = ("read", "ingest", "index", "replay", "admin")
# Settings that a profile may set otherwise.
LIMITS = ("sql_timeout", "sql_memory", "sql_threads", "sql_workers")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_KEYS = ("description", "datasets", "buckets", "rights", "restrict", *LIMITS)
_RESTRICTIONS = ("where", "hide", "columns", "mask", "generation")


@dataclass(frozen=True, slots=True)
class Restriction:
    """What is shown of one dataset: rows that `where` holds for, columns that are not hidden, some of them masked.

    `columns`: the only ones (`None`: all). `masks`: by column, `null`, `redact`, `hash` or a SQL expression.
    """

    where: str = ""
    columns: tuple[str, ...] | None = None
    hidden: tuple[str, ...] = ()
    masks: Mapping[str, str] = field(default_factory=dict)
    generation: int | None = None

    @property
    def whole(self) -> bool:
        """Whether rows and columns are all shown, as they are."""
        return not (self.where or self.hidden or self.masks) and self.columns is None

    def identity(self, key: str) -> str:
        """Changes when what is shown does; `key`: that of hashes."""
        told = [self.where, self.columns, self.hidden, sorted(self.masks.items()), key]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Profile:
    """A reader's part of a lake. `datasets` are names and patterns; what they do not match is not there."""

    name: str
    datasets: tuple[str, ...]
    description: str = ""
    buckets: tuple[str, ...] | None = None
    rights: frozenset[str] = frozenset({"read"})
    restrictions: Mapping[str, Restriction] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)

    def shows(self, dataset: str) -> bool:
        """Whether a dataset of this name is there for it, whole or in part."""
        return any(fnmatchcase(dataset, pattern) for pattern in self.datasets)

    @property
    def pinned(self) -> dict[str, int]:
        """The generations that serve it, by dataset."""
        return {name: each.generation for name, each in self.restrictions.items() if each.generation is not None}

    def identity(self, key: str) -> str:
        """Changes when what it shows does; `key`: that of hashes."""
        restrictions = sorted((name, each.identity(key)) for name, each in self.restrictions.items())
        told = [self.datasets, self.buckets, restrictions]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def restriction(self, dataset: str) -> Restriction:
        """What is shown of a dataset."""
        return self.restrictions.get(dataset, Restriction())


def read_profiles(table: Mapping[str, object], source: str) -> dict[str, Profile]:
    """The profiles of a settings file, by name. Raises `InvalidInput` that names what is wrong; `source`: the file."""
    found = {}
    for name, given in table.items():
        at = f"{source}: profile {name!r}"
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{at} has no usable name", hint="small letters, digits and _, at most 32")
        found[name] = _profile(name, _table(given, at, _KEYS), at)
    return found


def _profile(name: str, given: Mapping[str, object], at: str) -> Profile:
    rights = _texts(given.get("rights", ["read"]), f"{at}, rights")
    if unknown := set(rights) - set(RIGHTS):
        raise InvalidInput(f"{at}: unknown right {sorted(unknown)[0]!r}", hint=f"rights: {', '.join(RIGHTS)}")
    restrict = _table(given.get("restrict", {}), f"{at}, restrict", None)
    profile = Profile(
        name=name,
        datasets=_texts(given.get("datasets", []), f"{at}, datasets"),
        description=str(given.get("description", "")),
        buckets=_texts(given["buckets"], f"{at}, buckets") if "buckets" in given else None,
        # Whoever may change data sees it.
        rights=frozenset({"read", *rights}),
        restrictions={
            _restricted(dataset, at): _restriction(
                _table(each, f"{at}, {dataset!r}", _RESTRICTIONS), f"{at}, {dataset!r}"
            )
            for dataset, each in restrict.items()
        },
        limits={key: str(given[key]) for key in LIMITS if key in given},
    )
    for dataset in profile.restrictions:
        if not profile.shows(dataset):
            raise InvalidInput(
                f"{at} restricts {dataset!r}, which it does not show", hint="name that dataset in datasets, too"
            )
    if "admin" in profile.rights and not all(each.whole for each in profile.restrictions.values()):
        raise InvalidInput(
            f"{at} has the right admin and restrictions", hint="an administrator sees all; leave one of them out"
        )
    return profile


def _restricted(name: str, at: str) -> str:
    """The dataset a restriction is of. One that restricts nothing would show everything."""
    if as_kept(name) != name or not is_name(name):
        raise InvalidInput(
            f"{at} restricts {name!r}, which cannot be a dataset's name",
            hint="name each dataset by itself, in small letters; only the list `datasets` takes patterns",
        )
    return name


def _restriction(told: object, at: str) -> Restriction:
    given = _table(told, at, _RESTRICTIONS)
    masks = _table(given.get("mask", {}), f"{at}, mask", None)
    where, generation = given.get("where", ""), given.get("generation")
    if not isinstance(where, str):
        raise InvalidInput(f"{at}: where is no text", hint="a SQL condition over the dataset's columns")
    if generation is not None and not isinstance(generation, int):
        raise InvalidInput(f"{at}: generation is no number", hint="system.generations lists them")
    found = Restriction(
        where=where.strip(),
        columns=_texts(given["columns"], f"{at}, columns") if "columns" in given else None,
        hidden=_texts(given.get("hide", []), f"{at}, hide"),
        masks={column: str(mask) for column, mask in masks.items()},
        generation=generation,
    )
    if found.generation is not None and not found.whole:
        raise InvalidInput(
            f"{at}: a generation is of the whole dataset",
            hint="leave generation out: what is restricted has an index of its own",
        )
    return found


def _table(given: object, at: str, known: Sequence[str] | None) -> Mapping[str, object]:
    if not isinstance(given, dict):
        raise InvalidInput(f"{at} is no table", hint="see docs/security.md for an example")
    unknown = [key for key in given if known is not None and key not in known]
    if unknown:
        raise InvalidInput(f"{at}: unknown key {unknown[0]!r}", hint=f"known: {', '.join(known or ())}")
    return given


def _texts(given: object, at: str) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(each, str) and each for each in given):
        raise InvalidInput(f"{at} is no list of names", hint='write ["a", "b"]')
    return tuple(given)
