"""The object storage services: their addresses, the variables that configure them, and how each is reached.

S3 and what speaks its language is tested against a server; Google Cloud Storage and Azure are reached by the same
library and were not exercised against theirs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mcp_lakehouse.errors import InvalidInput

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

CONNECT_SECONDS = 5
# Silence for this long ends a request; a download that moves may take its time.
SILENCE_SECONDS = 8
TRANSFER_SECONDS = 3600
# No new attempt after this many seconds, so that a dead server costs at most 14 seconds a call.
RETRY_SECONDS = 6
RETRIES = 3


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of object storage. `variables` are what it may be told; each is also a name the table library knows.

    `endpoint` and `http` name the variables for another server, and for leave to reach it over plain http.
    """

    scheme: str
    variables: tuple[str, ...]
    endpoint: str
    http: str
    keys: str

    def named(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Its variables, as far as they are set."""
        return {name: environment[name] for name in (*self.variables, self.http) if environment.get(name)}


S3 = Service(
    "s3",
    (
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
    ),
    "AWS_ENDPOINT_URL",
    "AWS_ALLOW_HTTP",
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
)
GOOGLE = Service(
    "gs",
    (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GOOGLE_BEARER_TOKEN",
        "GOOGLE_BASE_URL",
        "GOOGLE_SKIP_SIGNATURE",
    ),
    "GOOGLE_BASE_URL",
    "GOOGLE_ALLOW_HTTP",
    "GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT",
)
AZURE = Service(
    "az",
    (
        "AZURE_STORAGE_ACCOUNT_NAME",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCESS_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_SAS_KEY",
        "AZURE_STORAGE_TOKEN",
        "AZURE_STORAGE_ENDPOINT",
        "AZURE_STORAGE_USE_EMULATOR",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_TENANT_ID",
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_USE_AZURE_CLI",
        "AZURE_SKIP_SIGNATURE",
    ),
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_ALLOW_HTTP",
    "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
)
SERVICES = {each.scheme: each for each in (S3, GOOGLE, AZURE)}


def opened(service: Service, bucket: str, prefix: str, options: Mapping[str, str]) -> S3Store | GCSStore | AzureStore:
    """The library's store; reaches no network. Raises `InvalidInput` for variables that make no sense."""
    from obstore.exceptions import BaseError
    from obstore.store import AzureStore, GCSStore, S3Store

    kind: Callable[..., Any] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}[service.scheme]
    client: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "read_timeout": timedelta(seconds=SILENCE_SECONDS),
        "timeout": timedelta(seconds=TRANSFER_SECONDS),
    }
    if options.get(service.http):
        client["allow_http"] = True
    try:
        store: S3Store | GCSStore | AzureStore = kind(
            bucket,
            prefix=prefix or None,
            config={name.lower(): value for name, value in options.items() if name != service.http},
            client_options=client,
            retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
            **_own_keys(options),
        )
    except (BaseError, ValueError):
        # Not chained and not quoted: the library's text may repeat a key.
        raise InvalidInput(
            f"{service.scheme}://{bucket} cannot be reached with the variables that are set",
            hint=f"check {service.keys} in the environment",
        ) from None
    return store


def _own_keys(options: Mapping[str, str]) -> dict[str, Any]:
    """The keys that were given, where the library would add the session token of this process to them."""
    if "AWS_ACCESS_KEY_ID" not in options or "AWS_SESSION_TOKEN" in options or "AWS_SESSION_TOKEN" not in os.environ:
        return {}
    keys = {
        "access_key_id": options["AWS_ACCESS_KEY_ID"],
        "secret_access_key": options.get("AWS_SECRET_ACCESS_KEY", ""),
        "token": None,
        "expires_at": None,
    }
    return {"credential_provider": lambda: keys}
