"""What the operating system or an object store said, as one of our errors. Never quotes a server's reply:
it may echo a key id or a signature.
"""

from __future__ import annotations

import errno
import re

from mcp_lakehouse.errors import LakehouseError, ObjectExists, ObjectMissing, StorageFailed, Unreachable
from mcp_lakehouse.store.services import Service

# What the system says of a write that there is no room for.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")


# Where the libraries look for credentials when they were given none.
_METADATA = ("169.254.169.254", "169.254.170.2", "metadata.google.internal")
_ELSEWHERE = {"s3": "set AWS_REGION to the bucket's own region"}


def local_failure(error: OSError, doing: str, key: str, url: str) -> LakehouseError:
    """An `OSError` of a local bucket. `doing` is a verb phrase such as "read"."""
    at = f"{url}/{key}" if key else url
    if isinstance(error, FileNotFoundError):
        return ObjectMissing(f"{at} does not exist", hint="it was deleted, or never written; list the folder to see")
    what = f"cannot {doing} {at}: {error.strerror or type(error).__name__}"
    if error.errno in FULL:
        return StorageFailed(what, hint="free space (or raise the quota) and run it again; nothing was half-written")
    if error.errno in _READ_ONLY:
        return StorageFailed(what, hint="make the folder writable for this user, or serve the lake with --read-only")
    return StorageFailed(what, hint="check the disk and the path; nothing was half-written")


def object_failure(error: Exception, doing: str, key: str, url: str, endpoint: str, service: Service) -> LakehouseError:
    """An error of the object store library, recognised by its kind and by the server's status and code."""
    text = str(error)
    at = f"{url}/{key}" if key else url
    status = next(iter(_STATUS.findall(text)), "")
    code = next(iter(_CODE.findall(text)), "")
    if type(error).__name__ in ("AlreadyExistsError", "PreconditionError"):
        return ObjectExists(f"{at} exists already", hint="another writer was first; read its version and try again")
    if code in ("NoSuchBucket", "ContainerNotFound"):
        return StorageFailed(f"cannot {doing} {at}: there is no such bucket", hint="create it, or correct the name")
    if isinstance(error, FileNotFoundError):
        return ObjectMissing(f"{at} does not exist", hint="it was deleted, or never written; list the folder to see")
    what, hint = _diagnosis(text, status, code, endpoint, service)
    # Without a status there was no answer that could be read.
    away = status.startswith("5") or not (status or what.startswith(("no credentials", "the endpoint")))
    return (Unreachable if away else StorageFailed)(f"cannot {doing} {at}: {what}", hint=hint)


def _diagnosis(text: str, status: str, code: str, endpoint: str, service: Service) -> tuple[str, str]:
    if any(host in text for host in _METADATA):
        return "no credentials were given", f"set {service.keys} in the environment"
    if status in ("401", "403"):
        return (
            f"access was refused ({code or status})",
            f"check {_refused_keys(service)} and the rights of that key",
        )
    if "BadScheme" in text:
        return "the endpoint is plain http", f"set {service.http}=true if that is meant, or use https"
    if "kind: Timeout" in text or "TimedOut" in text or "timed out" in text:
        return f"{endpoint} did not answer in time", "check the server and the network, then run it again"
    if "kind: Connect" in text:
        return f"{endpoint} cannot be reached", f"check {service.endpoint}, the server and the network"
    if status.startswith("3"):
        return "the server sent us elsewhere", _ELSEWHERE.get(service.scheme, f"check {service.endpoint}")
    if status:
        return f"the server answered {status} {code}".rstrip(), "check the server, then run it again"
    return "the connection broke", "check the server and the network, then run it again"


def _refused_keys(service: Service) -> str:
    if service.scheme == "s3":
        return "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN"
    return service.keys
