from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from statehold.sdk import Key, StorageContext, StorageError, Value
from statehold_sys._federation._caller import Caller, text
from statehold_sys._federation._json import json_object

_MAX_ID: Final = 2**63 - 1


@attrs.frozen(eq=False, kw_only=True)
class FederationCommand:
    """Executes a command of an application, once per GET."""

    _caller: Caller
    _value: Callable[..., Value]

    @classmethod
    def open(cls, ctx: StorageContext) -> FederationCommand:
        """Return a storage that has connected to nothing yet."""
        return cls(caller=Caller.of(ctx), value=ctx.value)

    def get(self, key: Key) -> Value:
        """Execute the command that *key* names, and return what it answered.

        Raises:
            StorageError: the key is wrong, there is no answer, or one that is not expected.

        """
        command = ".".join(self._caller.named(part, "Command") for part in text(key, "Command").split("."))
        body = text(key, "Body").encode() or b"{}"
        with self._caller.call("POST", f"commands/{command}", key, body=body) as answer:
            status, content = answer.status, answer.body()
        if not 200 <= status <= 299:
            # Expected, but no success: what it says is all there is.
            return self._value(StatusCode=status, NewIDs={}, Result=json_object(content))
        told = json_object(content)
        if told is None and content:
            raise self._unreadable(command, "the answer is no JSON object")
        told = told or {}
        ids, result = told.get("newIDs") or {}, told.get("result")
        if not isinstance(ids, dict) or not all(
            type(one) is int and 0 < one <= _MAX_ID for one in ids.values()
        ):
            raise self._unreadable(command, "newIDs is no object of ids")
        if not isinstance(result, (dict, list, type(None))):
            raise self._unreadable(command, "result is no object")
        return self._value(StatusCode=status, NewIDs=ids, Result=result)

    def free(self) -> None:
        """Close all connections."""
        self._caller.free()

    def _unreadable(self, command: str, why: str) -> StorageError:
        return StorageError(f"{self._caller.name}: command {command} was executed, but {why}")
