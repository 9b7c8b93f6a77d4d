"""Buckets: bytes under keys, on a local folder or on object storage."""

from mcp_lakehouse.store.bucket import Bucket, ObjectInfo
from mcp_lakehouse.store.copies import LocalCopies
from mcp_lakehouse.store.opening import open_bucket

__all__ = ["Bucket", "LocalCopies", "ObjectInfo", "open_bucket"]
