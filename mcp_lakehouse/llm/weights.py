"""Files of installed packages that are nothing but weights to us: found and checked, never imported."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from mcp_lakehouse.errors import InvalidInput

_BLOCK_BYTES = 1 << 20


def package_file(package: str, *parts: str, hint: str) -> Path:
    """A file inside an installed package. Raises `InvalidInput` with `hint` where there is none."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder).joinpath(*parts)
        if path.is_file():
            return path
    what = "is not installed" if spec is None else f"lacks {'/'.join(parts)}"
    raise InvalidInput(f"the package {package} {what}", hint=hint)


def sha256_of(*paths: Path) -> str:
    """The sha256 of the files' bytes, one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def check_sha256(path: Path, expected: str, *, hint: str) -> None:
    """Raise `InvalidInput` with `hint` unless the file's bytes are the pinned ones."""
    found = sha256_of(path)
    if found != expected:
        raise InvalidInput(
            f"{path} is not the file that was pinned: its sha256 is {found}, expected {expected}", hint=hint
        )


def clean(text: str, chars: int) -> str:
    """At most `chars` characters from the first that is no space on, fit for a tokeniser: no lone surrogates."""
    return text.lstrip()[:chars].encode("utf-8", "ignore").decode("utf-8")
