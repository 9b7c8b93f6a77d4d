"""A path or URL becomes a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.store.bucket import Bucket, checked_key
from mcp_lakehouse.store.local import LocalBucket
from mcp_lakehouse.store.objects import ObjectBucket
from mcp_lakehouse.store.services import S3, SERVICES, Service


def open_bucket(url_or_path: str | Path, environment: Mapping[str, str], *, lake: bool = True) -> Bucket:
    """The bucket at a folder, a `file://` URL, or `s3://bucket/prefix` (`gs://`, `az://`). Touches no network.

    Object storage is configured by the usual variables (`AWS_*`, `GOOGLE_*`, `AZURE_*`) of `environment`. Raises
    `InvalidInput` for an unknown kind of address, and of a `lake` for a path that is a file.
    """
    text = str(url_or_path)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _local(Path(text), lake)
    if scheme == "file" and rest.startswith("/"):
        return _local(Path(unquote(rest)), lake)
    if scheme in SERVICES:
        return _object_storage(SERVICES[scheme], text, environment)
    raise InvalidInput(
        f"cannot open {_without_secrets(text)!r} as a lake",
        hint="give a folder, file:///absolute/folder, or s3://bucket/prefix (gs:// and az:// too)",
    )


def _local(path: Path, lake: bool) -> LocalBucket:
    if "\0" in str(path):
        raise InvalidInput("the lake's path holds a NUL character", hint="give a folder")
    root = path.expanduser().resolve()
    if lake and root.exists() and not root.is_dir():
        raise InvalidInput(f"{root} is a file", hint="a lake is a folder; give another path")
    return LocalBucket(root)


def _object_storage(service: Service, url: str, environment: Mapping[str, str]) -> ObjectBucket:
    bucket, _, prefix = url.removeprefix(f"{service.scheme}://").partition("/")
    if not bucket or "@" in bucket or "?" in url:
        raise InvalidInput(
            f"{_without_secrets(url)!r} is not an address in object storage",
            hint=f"write {service.scheme}://bucket/prefix; keys and endpoint come from the "
            f"{service.endpoint.partition('_')[0]}_* environment variables",
        )
    options = service.named(environment)
    if service is S3:
        if endpoint := environment.get("AWS_ENDPOINT_URL_S3"):
            options["AWS_ENDPOINT_URL"] = endpoint
        options["AWS_REGION"] = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    allowed = options.get(service.http, "").lower() in ("1", "true", "yes")
    if not allowed:
        options.pop(service.http, None)
        if options.get(service.endpoint, "").startswith("http://"):
            raise InvalidInput(
                f"the endpoint in {service.endpoint} is plain http: keys and data would travel readable",
                hint=f"use https, or set {service.http}=true if that is meant",
            )
    return ObjectBucket(service, bucket, checked_key(prefix.strip("/")), options)


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
