"""A path or URL becomes a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.store.bucket import Bucket, checked_key
from mcp_lakehouse.store.local import LocalBucket
from mcp_lakehouse.store.objects import ObjectBucket

# What object storage may be told; each is also a name the table library knows.
_AWS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "AWS_SKIP_SIGNATURE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_ALLOW_HTTP",
)


def open_bucket(url_or_path: str | Path, environment: Mapping[str, str]) -> Bucket:
    """The bucket at a folder, a `file://` URL or an `s3://bucket/prefix` URL. Touches neither disk nor network.

    Object storage is configured by the usual `AWS_*` variables of `environment`. Raises `InvalidInput`
    for an unknown kind of address.
    """
    text = str(url_or_path)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _local(Path(text))
    if scheme == "file" and rest.startswith("/"):
        return _local(Path(unquote(rest)))
    if scheme == "s3":
        return _object_storage(text, environment)
    raise InvalidInput(
        f"cannot open {_without_secrets(text)!r} as a lake",
        hint="give a folder, file:///absolute/folder, or s3://bucket/prefix",
    )


def _local(path: Path) -> LocalBucket:
    if "\0" in str(path):
        raise InvalidInput("the lake's path holds a NUL character", hint="give a folder")
    root = path.expanduser().resolve()
    if root.exists() and not root.is_dir():
        raise InvalidInput(f"{root} is a file", hint="a lake is a folder; give another path")
    return LocalBucket(root)


def _object_storage(url: str, environment: Mapping[str, str]) -> ObjectBucket:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not bucket or "@" in bucket or "?" in url:
        raise InvalidInput(
            f"{_without_secrets(url)!r} is not an address in object storage",
            hint="write s3://bucket/prefix; keys and endpoint come from the AWS_* environment variables",
        )
    options = {name: environment[name] for name in _AWS if environment.get(name)}
    endpoint = environment.get("AWS_ENDPOINT_URL_S3")
    if endpoint:
        options["AWS_ENDPOINT_URL"] = endpoint
    options["AWS_REGION"] = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    plain = options.get("AWS_ENDPOINT_URL", "").startswith("http://")
    if plain and options.get("AWS_ALLOW_HTTP", "").lower() not in ("1", "true", "yes"):
        raise InvalidInput(
            "the endpoint in AWS_ENDPOINT_URL is plain http: keys and data would travel readable",
            hint="use https, or set AWS_ALLOW_HTTP=true if that is meant",
        )
    return ObjectBucket(bucket, checked_key(prefix.strip("/")), options)


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
