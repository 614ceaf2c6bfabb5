"""What runs an app: commands, queries, projectors and jobs, and who may use them how often."""

from __future__ import annotations

from statehold.processing._answers import CommandAnswer, JobStatus, Lag, NewWorkspace
from statehold.processing._errors import (
    BusyError,
    ClosedError,
    ConflictError,
    ExtensionError,
    ForbiddenError,
    LimitExceededError,
    NotAllowedError,
    ProcessingError,
    RequestError,
    ResponseError,
    StorageOutageError,
    StoreError,
    TooSlowError,
    UnknownError,
)
from statehold.processing._failure import Failure, failure
from statehold.processing._limits import Buckets, KindLimits, Limits
from statehold.processing._meter import Meter, NoMeter
from statehold.processing._request import SYSTEM, Request
from statehold.processing._rights import KindRights, Permission, Rights
from statehold.processing._runtime import Runtime, Sink
from statehold.processing._settings import Settings

__all__ = [
    "SYSTEM",
    "Buckets",
    "BusyError",
    "ClosedError",
    "CommandAnswer",
    "ConflictError",
    "ExtensionError",
    "Failure",
    "ForbiddenError",
    "JobStatus",
    "KindLimits",
    "KindRights",
    "Lag",
    "LimitExceededError",
    "Limits",
    "Meter",
    "NewWorkspace",
    "NoMeter",
    "NotAllowedError",
    "Permission",
    "ProcessingError",
    "Request",
    "RequestError",
    "ResponseError",
    "Rights",
    "Runtime",
    "Settings",
    "Sink",
    "StorageOutageError",
    "StoreError",
    "TooSlowError",
    "UnknownError",
    "failure",
]
