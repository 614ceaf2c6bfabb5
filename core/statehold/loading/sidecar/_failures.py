"""Exceptions, as they travel from a sidecar to its host."""

from __future__ import annotations

import builtins
from typing import Any, Final

import msgspec

from statehold import sdk
from statehold.loading.sidecar._objects import packed
from statehold.sdk import PluginError, StateholdError

_NEVER: Final = (StopIteration, StopAsyncIteration, GeneratorExit, KeyboardInterrupt, SystemExit)
_SHOWN: Final = 10_000


class Failure(msgspec.Struct, omit_defaults=True, gc=False):
    """An exception: its class, what it says, and what it carries.

    Attributes:
        type: the name of its class.
        known: the nearest class that the host has: of `statehold.sdk`, or a builtin one.
        message: what it says, as a whole.
        args: the arguments of a builtin exception.
        attributes: the attributes of one of the SDK.
        trace: where it came from, for the log.

    """

    type: str
    known: str = ""
    message: str = ""
    args: list[Any] = []
    attributes: dict[str, Any] = {}
    trace: str = ""

    def revive(self, who: str) -> Exception:
        """Return the exception, of the same class where the host knows it."""
        found = getattr(sdk, self.known, None) or getattr(builtins, self.known, None)
        if not isinstance(found, type) or not issubclass(found, Exception) or issubclass(found, _NEVER):
            return PluginError(f"{who} raised {self.type}: {self.message}")
        try:
            if issubclass(found, StateholdError):
                error: Exception = found.__new__(found)
                error.args = (self.message,)
                error.__dict__.update(self.attributes)
                return error
            return found(*self.args)
        except Exception:  # noqa: BLE001 - what cannot be made of it is told as it is
            return PluginError(f"{who} raised {self.type}: {self.message}")


# msgspec learns the type here: in two threads at once it would bring the process to an end.
msgspec.msgpack.Decoder(Failure)


def told(error: BaseException, *, trace: str = "") -> Failure:
    """Return what the host is told of *error*."""
    text = _clean(str(error)[:_SHOWN])
    name = type(error).__name__
    for kind in type(error).__mro__:
        if kind in (Exception, BaseException, object) or issubclass(kind, _NEVER):
            break
        if issubclass(kind, StateholdError) and getattr(sdk, kind.__name__, None) is kind:
            attributes = {key: packed(value) if _plain(value) else None for key, value in vars(error).items()}
            return Failure(name, kind.__name__, text, attributes=attributes, trace=trace)
        if kind.__module__ == "builtins":
            given = error.args
            if isinstance(error, OSError) and error.filename is not None:
                given = (error.errno, error.strerror, error.filename)
            args = [packed(one) for one in given] if all(map(_plain, given)) else [text]
            return Failure(name, kind.__name__, text, args=args, trace=trace)
    return Failure(name, "", text, trace=trace)


def _plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(one) for key, one in value.items())
    if isinstance(value, str):
        return _clean(value) == value
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return value is None or isinstance(value, (float, bytes, msgspec.Struct))


def _clean(text: str) -> str:
    return text.encode(errors="replace").decode()
