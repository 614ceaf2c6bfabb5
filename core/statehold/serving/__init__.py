"""The HTTP side: the API of every app of a host, on Starlette and uvicorn."""

from __future__ import annotations

from statehold.serving._errors import HttpError, TokenError
from statehold.serving._federation import Federation
from statehold.serving._heap import own_process
from statehold.serving._limits import Limits
from statehold.serving._meter import Counting
from statehold.serving._serving import Server
from statehold.serving._tokens import ANY_APP, Tokens
from statehold.serving._tracing import TracedMeter

__all__ = [
    "ANY_APP",
    "Counting",
    "Federation",
    "HttpError",
    "Limits",
    "Server",
    "TokenError",
    "Tokens",
    "TracedMeter",
    "own_process",
]
