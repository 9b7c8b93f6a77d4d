"""The buckets a lake uses: its own, and those that are named in the settings beside it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.store.bucket import Bucket
from mcp_lakehouse.store.circuit import Circuit
from mcp_lakehouse.store.copies import Copies, LocalCopies
from mcp_lakehouse.store.opening import open_bucket

PRIMARY = "primary"
RESCUE = "rescue"
# The parts of a lake that hold tables.
_DATA = ("tables", "system", "_errors")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
# Variables of one bucket alone: LAKEHOUSE_BUCKET_ARCHIVE_AWS_ACCESS_KEY_ID.
_OWN_VARIABLES = "LAKEHOUSE_BUCKET_"


@dataclass(frozen=True, slots=True, eq=False)
class Home:
    """Where datasets live: a bucket under its name in the settings, and its files on this machine."""

    name: str
    bucket: Bucket
    copies: Copies

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return self.bucket.local_path("") is not None


def primary_home(bucket: Bucket, cache: Path) -> Home:
    """The lake's own bucket."""
    return Home(PRIMARY, bucket, LocalCopies(bucket, cache / "objects"))


def other_homes(named: Mapping[str, str], environment: Mapping[str, str], *, cache: Path) -> list[Home]:
    """The named buckets, in the order of the settings. Touches no network.

    `named`: addresses by name. Raises `InvalidInput` for a name or an address that is none.
    """
    homes = []
    for name, address in named.items():
        if not _NAME.fullmatch(name) or name in (PRIMARY, RESCUE):
            raise InvalidInput(
                f"{name[:100]!r} cannot name a bucket",
                hint=f"a name is small letters, digits and _, at most 32; {PRIMARY!r} and {RESCUE!r} are taken",
            )
        bucket = _opened(name, address, environment)
        homes.append(Home(name, bucket, LocalCopies(bucket, cache / f"objects-{name}")))
    return homes


def rescue_bucket(address: str, environment: Mapping[str, str], *, lake: Bucket) -> Bucket | None:
    """The bucket that keeps refused writes; `None` for no address. Touches no network. Raises `InvalidInput`."""
    if not address:
        return None
    bucket = _opened(RESCUE, address, environment)
    if bucket.url == lake.url:
        raise InvalidInput(
            "the rescue bucket is the lake's own", hint="set rescue to an address on another disk or server"
        )
    return bucket


def _opened(name: str, address: str, environment: Mapping[str, str]) -> Bucket:
    if "://" not in address and not Path(address).expanduser().is_absolute():
        raise InvalidInput(
            f"bucket {name!r} is at {address[:200]!r}, which depends on the working directory",
            hint="give an absolute path, or a URL",
        )
    bucket = open_bucket(address, environment_of(name, environment), lake=False)
    return bucket if bucket.local_path("") is not None else Circuit(bucket, name)


def data_folders(homes: Sequence[Home]) -> list[Path]:
    """The folders of this machine that hold data files of the homes.

    Those of the lake itself are made where they are missing; one of another bucket may be on a disk that is away.
    """
    made: list[Path] = []
    folders: list[Path] = []
    for home in homes:
        if home.is_local:
            parts = [home.bucket.local_path(part) for part in _DATA]
            (made if home.name == PRIMARY else folders).extend(path for path in parts if path is not None)
        else:
            made.append(home.copies.folder)
    for folder in made:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
    return made + folders


def places_of(homes: Sequence[Home], rescue: Bucket | None) -> set[str]:
    """What messages may call the homes: their addresses, and the folders of this machine."""
    found = {str(home.copies.folder) for home in homes} | ({rescue.url} if rescue else set())
    for home in homes:
        found |= {home.bucket.url, str(home.bucket.local_path("") or home.bucket.url)}
    return found


def environment_of(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment as one bucket sees it: its own variables are in the place of the common ones."""
    prefix = f"{_OWN_VARIABLES}{name.upper()}_"
    own = {key.removeprefix(prefix): value for key, value in environment.items() if key.startswith(prefix)}
    if any("ACCESS_KEY" in key for key in own):
        # A key of its own does not go with somebody else's session.
        common = {key: value for key, value in environment.items() if key != "AWS_SESSION_TOKEN"}
    else:
        common = dict(environment)
    return common | own


def home_named(homes: Sequence[Home], name: str) -> Home:
    """One of the homes. Raises `InvalidInput`."""
    for home in homes:
        if home.name == name:
            return home
    raise InvalidInput(
        f"there is no bucket {name[:100]!r}",
        hint=f"buckets: {', '.join(home.name for home in homes)}; see list_buckets",
    )
