"""What changed between the descriptors of two versions of an app, and who is broken by it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

import attrs

from statehold.images._settings import Descriptor, ExtensionSettings, Isolation, StorageSettings
from statehold_vsql import StorageEngine
from statehold_vsql.appdef import AppDef
from statehold_vsql.evolution import Broken, Change

#: From the weakest boundary to the strongest.
_BOUNDARIES: Final = (Isolation.INPROCESS, Isolation.SIDECAR, Isolation.WASM)
_ENGINES: Final = {StorageEngine.GOPLUGIN: Isolation.SIDECAR, StorageEngine.WASM: Isolation.WASM}
#: Says how processes are shared, not how much they may take.
_NO_AMOUNT: Final = "partitions_per_process"


@attrs.frozen(kw_only=True)
class Described:
    """A descriptor, and the declarations it is about."""

    descriptor: Descriptor
    appdef: AppDef


def compare_descriptors(old: Described, new: Described) -> tuple[Change, ...]:
    """Return what changed between two descriptors of an app, in the order of what is looked at.

    What widens what code may do or take on the host breaks its operator, who has agreed to less.
    """
    return (
        *_numbers(old.descriptor, new.descriptor),
        *_parameters(old, new),
        *_storages(old, new),
        *_extensions(old.descriptor, new.descriptor),
    )


def _numbers(old: Descriptor, new: Descriptor) -> Iterator[Change]:
    if old.num_parts != new.num_parts:
        message = f"is {new.num_parts}, and was {old.num_parts}: workspaces are in other partitions"
        yield _change("partitions", "NumParts", message, Broken.DATA)
    if old.num_app_workspaces != new.num_app_workspaces:
        fewer = new.num_app_workspaces < old.num_app_workspaces
        message = f"is {new.num_app_workspaces}, and was {old.num_app_workspaces}"
        yield _change("app-workspaces", "NumAppWorkspaces", message, Broken.DATA if fewer else None)
    if old.engine_pool_size != new.engine_pool_size:
        message = f"is {list(new.engine_pool_size)}, and was {list(old.engine_pool_size)}"
        yield _change("engine-pools", "EnginePoolSize", message)


def _parameters(old: Described, new: Described) -> Iterator[Change]:
    declared = {(str(name.package), name.name): one for name, one in new.appdef.parameters.items()}
    before, after = (
        {(package, name): value for package, values in params.items() for name, value in values.items()}
        for params in (old.descriptor.package_params, new.descriptor.package_params)
    )
    for place in dict.fromkeys([*before, *after]):
        subject = f"PackageParams.{place[0]}.{place[1]}"
        parameter = declared.get(place)
        if place not in after:
            # One that is not declared any more has been told as that.
            needed = parameter is not None and (parameter.secret or parameter.default is None)
            tail = ", and there is no DEFAULT" if needed else ""
            yield _change(
                "value-removed", subject, f"is not set any more{tail}", Broken.OPERATOR if needed else None
            )
        elif place not in before:
            yield _change("value-added", subject, "is set")
        elif before[place] != after[place]:
            # A value may be a secret that somebody put here by mistake.
            yield _change("value-changed", subject, "is set to something else")


def _storages(old: Described, new: Described) -> Iterator[Change]:
    names = dict.fromkeys([*old.descriptor.storages, *new.descriptor.storages])
    engines = [{str(name): one.engine for name, one in each.appdef.storages.items()} for each in (old, new)]
    for name in names:
        if all(name in known for known in engines):
            before, after = (each.descriptor.storages.get(name, StorageSettings()) for each in (old, new))
            was, now = (
                one.isolation or _ENGINES.get(known[name], Isolation.INPROCESS)
                for one, known in zip((before, after), engines, strict=True)
            )
            yield from _storage(f"Storages.{name}", before, after, was=was, now=now)


def _storage(
    subject: str, old: StorageSettings, new: StorageSettings, *, was: Isolation, now: Isolation
) -> Iterator[Change]:
    if was is not now:
        weaker = _BOUNDARIES.index(now) < _BOUNDARIES.index(was)
        yield _change(
            "isolation",
            f"{subject}.isolation",
            f"is {now}, and was {was}",
            Broken.OPERATOR if weaker else None,
        )
    # Where nothing can be limited, none was taken away.
    if now is not Isolation.INPROCESS and was is not Isolation.INPROCESS:
        yield from _amounts("limit", f"{subject}.limits", old.limits, new.limits)
    yield from _allowed(f"{subject}.allow", old.allow, new.allow)
    for operation in dict.fromkeys([*old.scopes, *new.scopes]):
        before, after = old.scopes.get(operation), new.scopes.get(operation)
        if before == after:
            continue
        lost = after is not None and (before is None or not before <= after)
        words = "all that are declared" if after is None else ", ".join(sorted(after)) or "none"
        yield _change(
            "scopes",
            f"{subject}.scopes",
            f"{operation} may be used in {words}",
            Broken.PACKAGES if lost else None,
        )
    if old.version != new.version:
        yield _change("plugin-version", f"{subject}.version", f"is {new.version or 'the highest'}")


def _allowed(subject: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Change]:
    for name in dict.fromkeys([*old, *new]):
        before, after = _items(old.get(name)), _items(new.get(name))
        if more := [str(one) for one in after if one not in before]:
            yield _change("allow-added", f"{subject}.{name}", f"has {', '.join(more)}", Broken.OPERATOR)
        if fewer := [str(one) for one in before if one not in after]:
            yield _change("allow-removed", f"{subject}.{name}", f"has not {', '.join(fewer)} any more")


def _items(value: object) -> Collection[object]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _extensions(old: Descriptor, new: Descriptor) -> Iterator[Change]:
    for package in dict.fromkeys([*old.extensions, *new.extensions]):
        before, after = (each.extensions.get(package, ExtensionSettings()) for each in (old, new))
        subject = f"Extensions.{package}.limits"
        yield from _amounts("limit", subject, _named(before), _named(after))


def _named(settings: ExtensionSettings) -> Mapping[str, float]:
    named = {f"seconds of {scope}": seconds for scope, seconds in settings.seconds.items()}
    return named if settings.memory_mib is None else {"memory_mib": settings.memory_mib, **named}


def _amounts(code: str, subject: str, old: Mapping[str, float], new: Mapping[str, float]) -> Iterator[Change]:
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if after is None:
            # What holds instead may be more or less.
            yield _change(
                f"{code}-removed", f"{subject}.{name}", f"is gone, and was {before:g}", Broken.OPERATOR
            )
        elif before is None:
            yield _change(f"{code}-added", f"{subject}.{name}", f"is {after:g}")
        else:
            more = after > before and name != _NO_AMOUNT
            message = f"is {after:g}, and was {before:g}"
            yield _change(f"{code}-changed", f"{subject}.{name}", message, Broken.OPERATOR if more else None)


def _change(code: str, subject: str, message: str, breaks: Broken | None = None) -> Change:
    return Change(
        code=f"descriptor-{code}", subject=f"descriptor.json: {subject}", message=message, breaks=breaks
    )
