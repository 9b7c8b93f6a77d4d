"""What a user may set, and where each value came from.

Order of precedence: command-line flag, `LAKEHOUSE_*` environment variable, `lakehouse.toml` in the
lake, default. Keys and tokens are taken from the environment only.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.limits import GIB, MIB, IngestLimits, Limits, ResultLimits, RetentionLimits, SqlLimits
from mcp_lakehouse.profile import Profile, read_profiles

DEFAULT_LAKE = "./lakehouse"
_PREFIX = "LAKEHOUSE_"
_FILE = "lakehouse.toml"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name, default (as text), meaning, and whether it is a secret (environment only)."""

    name: str
    default: str
    meaning: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable."""
        return _PREFIX + self.name.upper()


KNOWN = (
    Setting("lake", DEFAULT_LAKE, "folder or URL (s3://bucket/prefix) of the lake"),
    Setting(
        "allow",
        "",
        "folders that ingest through a server or the library may read from, "
        f"separated by {os.pathsep!r}; empty: the working directory",
    ),
    Setting("buckets", "", "further buckets for datasets, comma-separated: archive=s3://bucket/prefix,fast=/mnt/fast"),
    Setting("rescue", "", "address of a bucket that keeps writes which others refuse, for replay_rescued; empty: none"),
    Setting("cache", "", "local folder for disposable state (results, copies of remote files); empty: see docs"),
    Setting("read_only", "false", "refuse every change to the lake"),
    Setting("profiles", "", "a TOML file with profiles; empty: lakehouse.toml in a lake that is a folder"),
    Setting("profile", "", "the profile of lakehouse.toml that the lake is opened as; empty: all of it, all rights"),
    Setting("mask_key", "", "a long random text that goes into the hashes of masked columns", secret=True),
    Setting("token", "", "bearer token that HTTP clients must send", secret=True),
    Setting("origins", "", "web origins (comma-separated) that may call over HTTP; empty: none but loopback"),
    Setting("trace", "none", "span exporters, comma-separated: none, lake, otlp, langfuse"),
    Setting("trace_content", "false", "let spans carry statements and arguments"),
    Setting("sql_timeout", "60", "seconds one statement may run"),
    Setting("sql_memory", "2GB", "memory of one SQL worker"),
    Setting("sql_threads", "0", "threads of one statement; 0: one for each processor"),
    Setting("sql_workers", "4", "statements that run at the same time"),
    Setting(
        "embedder", "", "wordllama, minilm or openai:MODEL@BASE_URL; empty: minilm if it is installed, else wordllama"
    ),
    Setting("chat", "", "openai:MODEL@BASE_URL or anthropic:MODEL[@BASE_URL] to write answers; empty: extractive"),
    Setting("ingest_memory", "1GB", "memory of one load"),
    Setting("ingest_timeout", "21600", "seconds one load may take"),
    Setting("keep_days", "30", "days a vacuum keeps dropped datasets, and versions that stopped being the newest"),
    Setting("keep_versions", "10", "newest versions of a dataset that a vacuum keeps, however old; at least 1"),
)
_BY_NAME = {setting.name: setting for setting in KNOWN}


@dataclass(frozen=True, slots=True)
class Sourced:
    """A value with where it came from: flag, environment, lakehouse.toml or default."""

    setting: Setting
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, read once. `values` keeps each with its source for `mcp-lakehouse settings`."""

    values: Mapping[str, Sourced]
    profiles_by_name: Mapping[str, Profile] = field(default_factory=dict)
    # Where the profiles are written.
    profiles_file: Path | None = None

    def text(self, name: str) -> str:
        """A setting as text."""
        return self.values[name].value

    def flag(self, name: str) -> bool:
        """A setting as yes or no."""
        return _parse(self.values[name], _bool)

    @property
    def lake(self) -> str:
        """Path or URL of the lake."""
        return self.text("lake")

    @property
    def allowed_roots(self) -> tuple[Path, ...]:
        """Absolute folders that `ingest` may read from."""
        given = [part for part in self.text("allow").split(os.pathsep) if part]
        return tuple(Path(part).expanduser().resolve() for part in given) or (Path.cwd().resolve(),)

    @property
    def buckets(self) -> dict[str, str]:
        """Addresses of further buckets, by name."""
        return _parse(self.values["buckets"], _named)

    def profile(self) -> Profile | None:
        """The profile the lake is to be opened as. Raises `InvalidInput` where there is none of that name."""
        name = self.text("profile")
        if not name:
            return None
        if name not in self.profiles_by_name:
            known = ", ".join(sorted(self.profiles_by_name)) or "none"
            raise InvalidInput(
                f"there is no profile {name[:100]!r}", hint=f"there are: {known}; lakehouse.toml in the lake makes them"
            )
        return self.profiles_by_name[name]

    def as_profile(self, name: str) -> Settings:
        """The same settings for a profile, with its own limits. Raises `InvalidInput`."""
        values = {**self.values, "profile": Sourced(_BY_NAME["profile"], name, "profile")}
        profile = replace(self, values=values).profile()
        for limit, value in profile.limits.items() if profile is not None else ():
            values[limit] = Sourced(_BY_NAME[limit], value, f"profile {name}")
        found = replace(self, values=values)
        _ = found.limits
        return found

    def renewed(self) -> Settings:
        """With the profiles as their file has them now. Raises `InvalidInput`."""
        return self if self.profiles_file is None else replace(self, profiles_by_name=profiles_in(self.profiles_file))

    @property
    def limits(self) -> Limits:
        """The budgets, with the user's own values in place."""
        threads = _parse(self.values["sql_threads"], _whole) or os.cpu_count() or 1
        return Limits(
            sql=SqlLimits(
                timeout_seconds=_parse(self.values["sql_timeout"], _seconds),
                memory_bytes=_parse(self.values["sql_memory"], _bytes),
                threads=threads,
                workers=max(1, _parse(self.values["sql_workers"], _whole)),
            ),
            result=ResultLimits(),
            ingest=IngestLimits(
                memory_bytes=_parse(self.values["ingest_memory"], _bytes),
                timeout_seconds=_parse(self.values["ingest_timeout"], _seconds),
            ),
            retention=RetentionLimits(
                keep_days=_parse(self.values["keep_days"], _days),
                keep_versions=_parse(self.values["keep_versions"], _positive),
            ),
        )


def read_settings(flags: Mapping[str, str | None], environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from flags (by setting name), environment, and the lake's `lakehouse.toml`.

    Raises `InvalidInput` naming the bad setting and its source.
    """
    values = {setting.name: Sourced(setting, setting.default, "default") for setting in KNOWN}
    lake = flags.get("lake") or environment.get("LAKEHOUSE_LAKE") or DEFAULT_LAKE
    file = _file_of(lake)
    written = _written(file) if file is not None else {}
    for name, value in written.items():
        values[name] = Sourced(_BY_NAME[name], value, "lakehouse.toml")
    for setting in KNOWN:
        if setting.variable in environment:
            values[setting.name] = Sourced(setting, environment[setting.variable], f"environment {setting.variable}")
    for name, given in flags.items():
        if given is not None:
            values[name] = Sourced(_BY_NAME[name], given, "flag")
    given = values["profiles"].value
    if given:
        file = Path(given).expanduser()
    settings = Settings(values, profiles_in(file) if file is not None else {}, file)
    # Parse everything once, so that a bad value is reported at the start and not in the middle of a call.
    _ = settings.limits, settings.buckets, settings.flag("read_only"), settings.flag("trace_content")
    name = settings.text("profile")
    return settings.as_profile(name) if name else settings


def profiles_in(file: Path) -> dict[str, Profile]:
    """The profiles that a settings file makes, by name. Raises `InvalidInput`."""
    return read_profiles(_toml(file).get("profiles", {}), str(file))


def profile_tokens(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The bearer tokens of profiles, by profile: `LAKEHOUSE_TOKEN_AGENCY`."""
    prefix = f"{_PREFIX}TOKEN_"
    return {
        name.removeprefix(prefix).lower(): token.strip()
        for name, token in environment.items()
        if name.startswith(prefix) and token.strip()
    }


# Read from the environment alone, where models are opened.
_KEYS = {f"{_PREFIX}CHAT_KEY", f"{_PREFIX}EMBEDDER_KEY"}


def unknown_variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`LAKEHOUSE_*` variables that are no settings, each with what to do about it: a slip would go unseen."""
    known = {setting.variable for setting in KNOWN} | _KEYS
    named = tuple(f"{_PREFIX}{kind}_" for kind in ("TOKEN", "BUCKET"))
    unknown = sorted(
        name for name in environment if name.startswith(_PREFIX) and name not in known and not name.startswith(named)
    )
    return {name: _instead(name.removeprefix(_PREFIX).lower()) for name in unknown}


def _instead(name: str) -> str:
    near = difflib.get_close_matches(name, _BY_NAME, n=1)
    return f"did you mean {_BY_NAME[near[0]].variable}?" if near else "mcp-lakehouse settings lists the ones there are"


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"cannot read {path}: {error}", hint="mend or remove that file") from error


def _file_of(lake: str) -> Path | None:
    """The settings file of a lake that is a folder, if it has one."""
    path = Path(lake).expanduser() / _FILE
    return None if "://" in lake or not path.is_file() else path


def _written(path: Path) -> dict[str, str]:
    """What a settings file sets, without the profiles."""
    table = _toml(path)
    if isinstance(table.get("profiles", {}), dict):
        table.pop("profiles", None)
    values: dict[str, str] = {}
    for name, value in table.items():
        if name not in _BY_NAME or name == "lake":
            known = ", ".join(sorted(_BY_NAME.keys() - {"lake"}))
            raise InvalidInput(f"{path}: unknown setting {name!r}", hint=f"known settings: {known}")
        if _BY_NAME[name].secret:
            raise InvalidInput(
                f"{path}: {name!r} is a secret", hint=f"set it in the environment as {_BY_NAME[name].variable}"
            )
        if isinstance(value, dict):
            # [buckets] in the file is the same as name=value pairs elsewhere.
            value = ",".join(f"{key}={each}" for key, each in value.items())
        values[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return values


def _parse(sourced: Sourced, parser: Callable[[str], T]) -> T:
    try:
        return parser(sourced.value)
    except ValueError as error:
        raise InvalidInput(
            f"setting {sourced.setting.name} = {sourced.value!r} (from {sourced.source}): {error}",
            hint=f"{sourced.setting.name} is: {sourced.setting.meaning}",
        ) from error


def _bool(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("give true or false")


def _named(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if any(not name.strip() or not value.strip() for name, _, value in pairs):
        raise ValueError("write name=address, several separated by commas")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError("give zero or a positive whole number")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError("give a whole number of at least 1")
    return value


def _days(text: str) -> int:
    value = _whole(text)
    if value > 36_500:
        raise ValueError("give at most 36500 days")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 7 * 86400:
        raise ValueError("give seconds above 0, at most one week")
    return value


def _bytes(text: str) -> int:
    units = {"KB": 1000, "MB": 1000**2, "GB": 1000**3, "KIB": 1024, "MIB": MIB, "GIB": GIB, "B": 1}
    upper = text.strip().upper()
    unit = next((unit for unit in sorted(units, key=len, reverse=True) if upper.endswith(unit)), "")
    value = int(float(upper.removesuffix(unit)) * units.get(unit, 1))
    if value < 64 * MIB:
        raise ValueError("give at least 64MiB")
    return value
