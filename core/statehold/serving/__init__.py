"""The HTTP side: the API of every app of a host, on Starlette and uvicorn."""

from __future__ import annotations

from statehold.serving._errors import HttpError, TokenError
from statehold.serving._federation import Federation
from statehold.serving._limits import Limits
from statehold.serving._tokens import ANY_APP, Tokens

__all__ = ["ANY_APP", "Federation", "HttpError", "Limits", "TokenError", "Tokens"]
