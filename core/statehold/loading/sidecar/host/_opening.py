from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar._codec import Codec
from statehold.loading.sidecar._errors import Reason
from statehold.loading.sidecar._fields import fields_told
from statehold.loading.sidecar._models import config_told
from statehold.loading.sidecar._objects import packed
from statehold.loading.sidecar.host._group import Group
from statehold.loading.sidecar.host._lane import LaneFault
from statehold.loading.sidecar.host._storage import ForCalls, Probes, SidecarStorage, proxy_class
from statehold.loading.sidecar.host._taking import Taking
from statehold.sdk import (
    IStateStorage,
    Provider,
    StorageContext,
    StorageError,
)

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


# msgspec learns the type here: in two threads at once it would bring the process to an end.
msgspec.msgpack.Decoder(_Answer)


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
    handle = group.handles.new(ctx.logger)
    argument = _argument(provider, group, ctx)
    lane = group.lanes.take_to_open()
    opening = Taking(group, lane, codecs[0], ctx.existing)
    try:
        result = opening.ask(k.OPEN, handle, argument)
        answer = msgspec.convert(result, _Answer)
    except BaseException as error:
        group.handles.forget(handle)
        if isinstance(error, LaneFault):
            raise group.lanes.give_up(lane, error) from None
        if isinstance(error, msgspec.ValidationError):
            fault = LaneFault(Reason.PROTOCOL, f"opened what cannot be read: {error}")
            raise group.lanes.give_up(lane, fault) from None
        if not opening.answered:
            group.lanes.drop(lane)
        raise
    group.handles.keep(handle, argument)
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
        "existing": Taking.told(ctx.existing),
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
