"""What a call is, as it travels to a storage that asks for its call."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from statehold.loading.sidecar._objects import Objects, packed
from statehold.sdk import CallContext, Principal, Scope

_encode: Final = msgspec.msgpack.Encoder().encode
_PLAIN: Final = ("workspace", "extension", "offset", "origin", "time")
_OBJECTS: Final = ("argument", "unlogged", "event")


def call_told(call: CallContext) -> bytes:
    """Return a call as a map; its unit stays where it is, and so does the principal's token."""
    told: dict[str, Any] = {name: getattr(call, name) for name in _PLAIN}
    told |= {name: packed(getattr(call, name)) for name in _OBJECTS}
    told["scope"] = str(call.scope)
    principal = call.principal
    if principal is not None:
        told["principal"] = {
            "name": principal.name,
            "kind": principal.kind,
            "profile": principal.profile,
            "roles": {workspace: sorted(roles) for workspace, roles in principal.roles.items()},
        }
    told["answers"] = [name for name in ("result", "response") if getattr(call, name) is not None]
    return _encode(told)


def call_made(data: bytes, objects: Objects, effects: list[Any]) -> CallContext:
    """Return the call; what is answered in it goes to *effects*."""
    told = objects.decode(data)
    principal = told.pop("principal", None)
    answers = told.pop("answers")
    if principal is not None:
        roles = {workspace: frozenset(names) for workspace, names in principal.pop("roles").items()}
        principal = Principal(**principal, roles=roles)
    return CallContext(
        **{**told, "scope": Scope(told["scope"])},
        principal=principal,
        result=(lambda value: effects.append(["result", packed(value)])) if "result" in answers else None,
        response=(lambda status, message: effects.append(["response", [status, message]]))
        if "response" in answers
        else None,
    )
