"""A filesystem in two namespaces of a 0-db engine: all of it but the mounting."""

from __future__ import annotations

from statehold_qsfs.files._filesystem import ROOT, FileSystem
from statehold_qsfs.files._names import EXCHANGE
from statehold_qsfs.files._values import (
    BLOCK,
    MAX_NAME,
    MAX_SIZE,
    MAX_TARGET,
    MAX_XATTR,
    Attributes,
    Entry,
    FileSystemOptions,
    QsfsError,
    Report,
    Snapshot,
    Statistics,
)

__all__ = [
    "BLOCK",
    "EXCHANGE",
    "MAX_NAME",
    "MAX_SIZE",
    "MAX_TARGET",
    "MAX_XATTR",
    "ROOT",
    "Attributes",
    "Entry",
    "FileSystem",
    "FileSystemOptions",
    "QsfsError",
    "Report",
    "Snapshot",
    "Statistics",
]
