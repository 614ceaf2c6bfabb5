from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from time import monotonic
from typing import Any, Final

import msgspec

from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar._codec import Codec
from statehold.loading.sidecar._errors import Reason
from statehold.loading.sidecar._failures import Failure
from statehold.loading.sidecar._fields import fields_told
from statehold.loading.sidecar._models import config_told
from statehold.loading.sidecar._objects import packed
from statehold.loading.sidecar.host._group import Group
from statehold.loading.sidecar.host._lane import Lane, LaneFault
from statehold.loading.sidecar.host._storage import ForCalls, Probes, SidecarStorage, proxy_class
from statehold.sdk import (
    IStateStorage,
    Provider,
    StorageContext,
    StorageError,
)

_STATE: Final = ("get", "get_batch", "read", "rows")
_METHODS: Final = {
    "GET": ("get",),
    "GETBATCH": ("get_batch",),
    "READ": ("read",),
    "INSERT": ("value_to_insert", "validate", "apply_batch"),
    "UPDATE": ("value_to_update", "validate", "apply_batch"),
}


class _Answer(msgspec.Struct):
    type: str
    methods: list[str]
    usual: list[str] = []
    probe: bool = False
    calls: bool = False
    looked: bool = True


def open_storage(provider: Provider, group: Group, ctx: StorageContext) -> SidecarStorage:
    """Open a storage in the process of *group*, and return its proxy.

    Raises:
        SidecarError: the process failed.
        StorageError: it needs what only this process has.
        Exception: what the plugin raised.

    """
    codecs = [
        Codec(ctx.key, ctx.value_fields, ctx.key_class, ctx.value_class, group.objects),
        *(
            Codec(
                each.key,
                each.value_fields,
                each.key_class,
                each.value_class,
                group.objects,
            )
            for each in ctx.entities.values()
        ),
    ]
    handle = group.new_handle(ctx.logger)
    argument = _argument(provider, group, ctx)
    lane = group.take_to_open()
    opening = _Opening(group, lane, codecs[0], ctx.existing)
    try:
        result = opening.ask(handle, argument)
        answer = msgspec.convert(result, _Answer)
    except BaseException as error:
        group.forget(handle)
        if isinstance(error, LaneFault):
            raise group.give_up(lane, error) from None
        if isinstance(error, msgspec.ValidationError):
            fault = LaneFault(Reason.PROTOCOL, f"opened what cannot be read: {error}")
            raise group.give_up(lane, fault) from None
        if not opening.answered:
            group.drop(lane)
        raise
    group.keep(handle, argument)
    storage = _proxy(provider, ctx.storage, group, handle, codecs, answer)
    storage.takes_over = answer.looked
    return storage


def _proxy(  # noqa: PLR0917 - on the way of every call
    provider: Provider, name: str, group: Group, handle: int, codecs: Sequence[Codec], answer: _Answer
) -> SidecarStorage:
    bound = None
    more: list[type] = [Probes] if answer.probe else []
    if answer.calls:
        more.append(ForCalls)
        claimed = [method for operation in provider.operations for method in _METHODS[operation]]
        bound = proxy_class(answer.type, claimed, ())
    kind = proxy_class(answer.type, answer.methods, answer.usual, *more)
    return kind(name, group, handle, codecs, bound)


def _argument(provider: Provider, group: Group, ctx: StorageContext) -> dict[str, Any]:
    return {
        "provider": provider.name,
        "storage": ctx.storage,
        "app": ctx.app,
        "version": ctx.version,
        "partition": ctx.partition,
        "config": None if ctx.config is None else _config(provider, ctx.config),
        "secrets": {name: secret.reveal() for name, secret in ctx.secrets.items()},
        "key": fields_told(ctx.key),
        "value": fields_told(ctx.value_fields),
        "data_folder": str(ctx.data_folder),
        "storages": {name: _handle(ctx.storage, name, each, group) for name, each in ctx.storages.items()},
        "allowances": packed(ctx.allowances),
        "entities": [
            [name, fields_told(each.key), fields_told(each.value_fields)]
            for name, each in ctx.entities.items()
        ],
        "logger": ctx.logger.name,
        "level": ctx.logger.getEffectiveLevel(),
        "existing": None
        if ctx.existing is None
        else [name for name in _STATE if callable(getattr(ctx.existing, name, None))],
        "pending_timeout": group.limits.deadline,
    }


def _config(provider: Provider, config: Any) -> Any:
    return config_told(config) if provider.config is not None else packed(config)


def _handle(storage: str, name: str, other: IStateStorage, group: Group) -> int:
    if isinstance(other, SidecarStorage) and other.group is group:
        return other.handle
    raise StorageError(
        f"{storage} requires {name}, which does not live in the same sidecar",
        hint="Give both the same isolation, and put them into one plugin file",
    )


class _Opening:
    """One OPEN, and what the sidecar asks meanwhile of the storage of the version before."""

    def __init__(self, group: Group, lane: Lane, codec: Codec, existing: Any) -> None:
        self._group = group
        self._lane = lane
        self._codec = codec
        self._existing = existing
        self._reads: dict[int, Iterator[Any]] = {}
        self.answered = False

    def ask(self, handle: int, argument: Any) -> Any:
        """Return the answer to OPEN."""
        group, lane = self._group, self._lane
        begun = monotonic()
        lane.relimit(group.limits.start)
        try:
            number = lane.ask(k.OPEN, handle, 0, None, argument)
            kinds = (k.OK, k.ERROR, k.EXISTING_GET, k.EXISTING_GETBATCH, k.EXISTING_READ)
            while True:
                answer = lane.hear(group.anything, number, kinds)
                if answer.kind in (k.OK, k.ERROR):
                    break
                if monotonic() - begun > group.limits.start:
                    raise LaneFault(
                        Reason.DEADLINE, f"did not open a storage within {group.limits.start:g} s"
                    )
                lane.say(self._answered(number, answer.kind, answer.result))
            lane.relimit(group.limits.deadline)
        finally:
            for reading in self._reads.values():
                close = getattr(reading, "close", None)
                if close is not None:
                    close()
        self.answered = True
        group.give_back(lane)
        if isinstance(answer.result, Failure):
            raise group.revived(answer.result)
        return answer.result

    def _answered(self, number: int, kind: int, argument: Any) -> tuple[Any, ...]:
        try:
            return k.OK, number, self._existing_answer(kind, argument)
        except Exception as error:  # noqa: BLE001 - the other storage's, told to the one that asked
            return k.ERROR, number, f"{type(error).__name__}: {error}"

    def _existing_answer(self, kind: int, argument: Any) -> Any:
        existing, to_key = self._existing, self._codec.to_key
        if kind == k.EXISTING_GET:
            return packed(existing.get(to_key(argument)))
        if kind == k.EXISTING_GETBATCH:
            return packed(list(existing.get_batch([to_key(key) for key in argument])))
        number, prefix = argument
        if number not in self._reads:
            self._reads[number] = iter(existing.read(to_key(prefix)) if prefix else existing.rows())
        rows = islice(self._reads[number], k.CHUNK_ROWS)
        return [[self._codec.key(_own(key, self._codec)), packed(value)] for key, value in rows]


def _own(key: Any, codec: Codec) -> Any:
    # A key of the version before: the same fields, or it would not have been asked.
    return codec.key_class(*(getattr(key, name) for name in codec.key_names))
