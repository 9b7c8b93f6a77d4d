"""Where a model is, as a setting names it, and what one call to it may use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import urlsplit

from mcp_lakehouse.errors import InvalidInput, ModelFailed
from mcp_lakehouse.limits import MIB

_ADDRESS = re.compile(r"@https?://[^\s'\"),;]+")
_SPEC = re.compile(r"(?P<model>[^\s@](?:.*[^\s])?)@(?P<url>https?://\S+)")

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What one call may use. `attempts` counts the first try too; waits are in seconds."""

    connect_seconds: float = 10.0
    # Between two pieces of an answer, and before the first.
    idle_seconds: float = 60.0
    total_seconds: float = 300.0
    attempts: int = 4
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0
    answer_bytes: int = 64 * MIB


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is: its name there, and the address below which its paths lie (no slash at the end)."""

    model: str
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: str | None = field(default=None, repr=False)
    limits: CallLimits = field(default=CallLimits(), repr=False)

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.base_url).netloc


def parse(spec: str, kind: str, *, limits: CallLimits, base_url: str | None = None) -> Endpoint:
    """The endpoint that `KIND:MODEL@BASE_URL` names; `base_url` is what stands in for a missing one.

    Raises `InvalidInput` for anything else, and for an address with a user, a query or a fragment in it.
    """
    rest = spec.removeprefix(f"{kind}:").strip()
    if base_url and rest and "@" not in rest:
        rest = f"{rest}@{base_url}"
    found = _SPEC.fullmatch(rest)
    hint = f"write {kind}:MODEL@BASE_URL, as in {kind}:some-model@http://127.0.0.1:8000/v1"
    if found is None:
        # Not quoted: somebody may have put a key where the address belongs.
        raise InvalidInput(f"what follows {kind}: is not MODEL@BASE_URL", hint=hint)
    try:
        parts = urlsplit(found["url"])
        _ = parts.port
    except ValueError:
        raise InvalidInput(f"the address of {kind}:{found['model']} is not one", hint=hint) from None
    if parts.username is not None or parts.query or parts.fragment or not parts.hostname:
        raise InvalidInput(
            f"the address of {kind}:{found['model']} must be scheme, host and path alone",
            hint=f"{hint}; keys are taken from the environment only",
        )
    return Endpoint(found["model"], found["url"].rstrip("/"), limits=limits)


def without_address(model: str) -> str:
    """A text that names models as `openai:MODEL@BASE_URL`, with the names alone."""
    return _ADDRESS.sub("", model)


def with_key(
    endpoint: Endpoint, key: str | None, *, header: str, prefix: str = "", others: Mapping[str, str] = NO_HEADERS
) -> Endpoint:
    """The endpoint with `key` (where there is one) in that header of every call, and `others` beside it.

    Raises `InvalidInput` for a key that no header can carry.
    """
    if key is None:
        return replace(endpoint, headers=others)
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput(
            f"the key for the model {endpoint.model!r} holds characters that no key has",
            hint="set it again in the environment: one line of letters, digits and signs",
        )
    return replace(endpoint, headers={header: f"{prefix}{key}", **others}, key=key)


def wrong_shape(endpoint: Endpoint, what: str) -> ModelFailed:
    """The error for an answer that is `what`, as in "not JSON"."""
    return ModelFailed(
        f"the answer of {endpoint.host} for the model {endpoint.model!r} is {what}",
        hint="set the address of an endpoint of that kind; mcp-lakehouse doctor tries it",
    )
