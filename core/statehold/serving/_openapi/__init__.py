"""The OpenAPI document of an app, made of its declarations."""

from __future__ import annotations

from statehold.serving._openapi._document import openapi

__all__ = ["openapi"]
