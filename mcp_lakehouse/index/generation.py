"""Generations in the bucket: a manifest for each, never changed, and a pointer to the one that serves.

    index/<dataset>/generations/000001.json    what was built over which version, measured how well
    index/<dataset>/publications/000001.json   which one began to serve when, and who said so
    index/<dataset>/current.json               {"generation": 1}
    index/<dataset>/<recipe>/part-….parquet    passages and embeddings of one data file

Deleting index files on a machine loses nothing; deleting embeddings loses only the time to make them again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from mcp_lakehouse.catalog.listing import folder_of
from mcp_lakehouse.errors import Conflict, NotFound
from mcp_lakehouse.index.names import leaf
from mcp_lakehouse.index.recipe import Recipe
from mcp_lakehouse.store import Bucket

FORMAT = 1
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Generation:
    """One build. `files` are the keys of the data files it covers, in the order of its vectors.

    `parameters` is empty where search is exact. Times are ISO 8601 UTC.
    """

    dataset: str
    number: int
    version: int
    recipe: Recipe
    files: tuple[str, ...]
    passages: int
    rows: int
    parameters: Mapping[str, int]
    recall_at_10: float
    p50_ms: float
    p99_ms: float
    build_seconds: float
    index_bytes: int
    published: bool
    created_at: str
    who: str
    trace_id: str
    note: str = ""

    def as_json(self) -> dict[str, object]:
        """Its manifest."""
        return {"format": FORMAT, **asdict(self), "files": list(self.files)}


@dataclass(frozen=True, slots=True)
class Publication:
    """One change of what serves: `operation` is build_index or rollback_index."""

    operation: str
    generation: int
    previous: int | None
    at: str
    who: str
    trace_id: str


class Generations:
    """The generations of the datasets of one bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def numbers(self, dataset: str) -> list[int]:
        """The numbers of a dataset's generations, in order."""
        return _numbers(self._bucket, f"index/{folder_of(dataset)}/generations/")

    def all(self, dataset: str) -> list[Generation]:
        """A dataset's generations, in order; those that cannot be read are left out."""
        keys = [_key(dataset, number) for number in self.numbers(dataset)]
        found = (_parsed(data) for data in self._bucket.read_many(keys) if data)
        return [each for each in found if each is not None]

    def get(self, dataset: str, number: int) -> Generation | None:
        """One generation; `None` where its manifest is gone or damaged, for then everything is compared anew."""
        try:
            return _parsed(self._bucket.read(_key(dataset, number)))
        except NotFound:
            return None

    def current(self, dataset: str) -> int | None:
        """The number of the generation that serves, `None` where none was published."""
        try:
            return int(json.loads(self._bucket.read(_pointer(dataset)))["generation"])
        except NotFound:
            return None
        except (ValueError, KeyError, TypeError):
            # A damaged pointer loses nothing: what was published last is on record.
            published = self.publications(dataset)
            return published[-1].generation if published else None

    def add(self, generation: Generation) -> Generation:
        """Keep a manifest under the next free number, and return it with that number."""
        number = max([0, *self.numbers(generation.dataset)]) + 1
        for _ in range(_ATTEMPTS):
            numbered = replace(generation, number=number)
            data = json.dumps(numbered.as_json(), ensure_ascii=False, indent=1).encode()
            try:
                self._bucket.write(_key(generation.dataset, number), data, if_absent=True)
                return numbered
            except Conflict:
                number += 1
        raise Conflict(f"other builders of {generation.dataset!r} kept winning", hint="try again in a moment")

    def publish(self, dataset: str, publication: Publication) -> None:
        """Let a generation serve, at once and for all; kept on record first."""
        prefix = _publications(dataset)
        number = max([0, *_numbers(self._bucket, prefix)]) + 1
        data = json.dumps(asdict(publication), ensure_ascii=False).encode()
        for _ in range(_ATTEMPTS):
            try:
                self._bucket.write(f"{prefix}{number:06d}.json", data, if_absent=True)
                break
            except Conflict:
                number += 1
        else:
            raise Conflict(f"other builders of {dataset!r} kept winning", hint="try again in a moment")
        self._bucket.write(_pointer(dataset), json.dumps({"generation": publication.generation}).encode())

    def publications(self, dataset: str) -> list[Publication]:
        """What served when, oldest first; records that cannot be read are left out."""
        prefix = _publications(dataset)
        keys = [f"{prefix}{number:06d}.json" for number in _numbers(self._bucket, prefix)]
        found = []
        for data in self._bucket.read_many(keys):
            with contextlib.suppress(ValueError, TypeError):
                found.append(Publication(**json.loads(data or b"")))
        return found


def passages_key(dataset: str, recipe: Recipe, file_key: str) -> str:
    """Where the passages of a data file are in the bucket."""
    return f"index/{folder_of(dataset)}/{recipe.identifier}/{leaf(file_key)}"


def _key(dataset: str, number: int) -> str:
    return f"index/{folder_of(dataset)}/generations/{number:06d}.json"


def _publications(dataset: str) -> str:
    return f"index/{folder_of(dataset)}/publications/"


def _numbers(bucket: Bucket, prefix: str) -> list[int]:
    names = (info.key.removeprefix(prefix).removesuffix(".json") for info in bucket.list(prefix))
    return sorted(int(name) for name in names if name.isdigit())


def _pointer(dataset: str) -> str:
    return f"index/{folder_of(dataset)}/current.json"


def _parsed(data: bytes) -> Generation | None:
    try:
        value = json.loads(data)
        if value.pop("format") != FORMAT:
            raise ValueError("another format")
        value["recipe"] = Recipe.from_json(value["recipe"])
        value["files"] = tuple(value["files"])
        return Generation(**value)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
