"""The address of a passage: `lakehouse://datasets/{name}/v{version}/rows/{row}#chunk={n}&chars={a}-{b}&hash={h}`.

A version never changes, so neither does what an address stands for; `hash` (the first 16 hexadecimal digits of
the SHA-256 of the passage's text) proves it. `row` counts from 0 over the files of the version in their order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import parse_qsl, quote, unquote

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.records import Passage

PREFIX = "lakehouse://datasets/"
HASH_DIGITS = 16
UNCHECKED = "this id carries no hash: the text is what its version holds, not proven to be what was cited"
_PATH = re.compile(r"(?P<name>[^/]+)/v(?P<version>\d{1,18})/rows/(?P<row>\d{1,18})")
_CHARS = re.compile(r"(\d{1,10})-(\d{1,10})")
_HASH = re.compile(rf"[0-9a-f]{{{HASH_DIGITS},64}}")


@dataclass(frozen=True, slots=True)
class PassageId:
    """A row of a version, and which characters of its text; all of it where `chars` is `None`."""

    dataset: str
    version: int
    row: int
    chunk: int | None = None
    chars: tuple[int, int] | None = None
    digest: str | None = None
    page: int | None = None
    # First and last line in the source, from 1.
    lines: tuple[int, int] | None = None

    def __str__(self) -> str:
        fragment = {
            "chunk": self.chunk,
            "chars": _range(self.chars),
            "page": self.page,
            "lines": _range(self.lines),
            "hash": self.digest,
        }
        parts = "&".join(f"{name}={value}" for name, value in fragment.items() if value is not None)
        return f"{PREFIX}{quote(self.dataset)}/v{self.version}/rows/{self.row}" + (f"#{parts}" if parts else "")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address in a text. Raises `InvalidInput` showing the form."""
        path, _, fragment = text.strip().partition("#")
        found = _PATH.fullmatch(path.removeprefix(PREFIX)) if path.startswith(PREFIX) else None
        keys = dict(parse_qsl(fragment))
        chars = _CHARS.fullmatch(keys.get("chars", ""))
        lines = _CHARS.fullmatch(keys.get("lines", ""))
        chunk, page = keys.get("chunk"), keys.get("page")
        if found is None or any(each is not None and not each.isdecimal() for each in (chunk, page)):
            raise InvalidInput(
                f"{text[:200]!r} is not the id of a passage",
                hint=f"give an id that search or ask returned: {PREFIX}NAME/vN/rows/N#chunk=N",
            )
        digest = keys.get("hash")
        if digest is not None and not _HASH.fullmatch(digest):
            raise InvalidInput(
                f"the hash of {text[:200]!r} is cut or changed", hint=f"it has at least {HASH_DIGITS} digits of 0-9a-f"
            )
        return cls(
            dataset=unquote(found["name"]),
            version=int(found["version"]),
            row=int(found["row"]),
            chunk=int(chunk) if chunk else None,
            chars=(int(chars[1]), int(chars[2])) if chars else None,
            digest=digest,
            page=int(page) if page else None,
            lines=(int(lines[1]), int(lines[2])) if lines else None,
        )


def with_warning(passage: Passage) -> Passage:
    """The passage, saying so in its `metadata` where its id could not be checked."""
    if PassageId.parse(passage.id).digest is not None:
        return passage
    return replace(passage, metadata={**passage.metadata, "unchecked": UNCHECKED})


def _range(pair: tuple[int, int] | None) -> str | None:
    return f"{pair[0]}-{pair[1]}" if pair else None
