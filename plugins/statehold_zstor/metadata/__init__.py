"""Metadata: what is known of each object, kept in backends of its own, with a redundancy of its own."""

from __future__ import annotations

from statehold_zstor.metadata._errors import (
    MetadataConflictError,
    MetadataError,
    MetadataKeyError,
    MetadataUnavailableError,
)
from statehold_zstor.metadata._metadata import Metadata, Refreshed
from statehold_zstor.metadata._values import Entry, Leftover, ObjectMeta, Version

__all__ = [
    "Entry",
    "Leftover",
    "Metadata",
    "MetadataConflictError",
    "MetadataError",
    "MetadataKeyError",
    "MetadataUnavailableError",
    "ObjectMeta",
    "Refreshed",
    "Version",
]
