"""What an app developer tests extensions with: one of them at a time, in a given state, without a server.

The declarations, the facades and the state are those of a host, so that what is not declared fails here as it
does there. Storages that would reach outside are replaced: those of `sys` for HTTP and mail by mocks, those
of other packages by tables in memory.
"""

from __future__ import annotations

from statehold.testing.extensions._changes import Change, Insert, Update
from statehold.testing.extensions._fixtures import Projects, Stages
from statehold.testing.extensions._http import HttpMock, HttpRequest
from statehold.testing.extensions._mail import MailMock
from statehold.testing.extensions._project import Project
from statehold.testing.extensions._run import Run
from statehold.testing.extensions._stage import Stage

__all__ = [
    "Change",
    "HttpMock",
    "HttpRequest",
    "Insert",
    "MailMock",
    "Project",
    "Projects",
    "Run",
    "Stage",
    "Stages",
    "Update",
]
