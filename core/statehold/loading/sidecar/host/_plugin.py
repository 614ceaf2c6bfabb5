from __future__ import annotations

import logging
import socket
import threading
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self, cast

import attrs
import msgspec

from statehold.loading.sandbox import Broker
from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar._boundary import Boundary
from statehold.loading.sidecar._errors import Reason, SidecarError
from statehold.loading.sidecar._fields import PluginTold, ProviderTold, fields_made
from statehold.loading.sidecar._limits import Limits
from statehold.loading.sidecar._models import model_made
from statehold.loading.sidecar.host._group import Group
from statehold.loading.sidecar.host._opening import open_storage
from statehold.loading.sidecar.host._supervisor import Supervisor
from statehold.loading.sidecar.host._zygote import Zygote
from statehold.sdk import FreedError, Operation, Provider, Rank, Scope, StateholdError, StorageContext

#: The process that describes a plugin before any of its storages is open.
_SCOUT: Final = -1


@attrs.frozen(kw_only=True)
class SidecarReport:
    """What is left of a plugin that ran in processes of its own: nothing.

    Attributes:
        plugin: which plugin, and whose.
        modules: the modules removed from this process: none.
        problems: what went wrong.
        survivors: what does not die: nothing.

    """

    plugin: str
    modules: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    survivors: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class SidecarStatus:
    """How the processes of a plugin fare.

    Attributes:
        plugin: its distribution.
        running: how many of them run.
        restarts: how often one was started again.
        broken: how many have failed so often that they are left alone for a while.

    """

    plugin: str
    running: int
    restarts: int
    broken: int


@attrs.frozen(kw_only=True)
class Home:
    """What the plugins of one host share."""

    supervisor: Supervisor
    zygote: Callable[[], Zygote]
    broker: Broker
    logger: logging.Logger
    sandbox: bool
    required: bool


class SidecarPlugin:
    """A plugin whose storages live in processes of their own; `free()` ends them.

    Attributes:
        path: the plugin file, or None of what is installed.
        owner: whom it was loaded for.
        distribution: the distribution's name.
        version: its version.
        sha256: the digest of what was loaded.
        lacking: what of the sandbox this machine does not have, in words for the operator.
        unheard: the names of its hook plugins, which nobody calls.
        providers: the providers by name; what they open are proxies.
        hooks: none: hooks would run in another process than what they are about.

    """

    def __init__(
        self, job: Mapping[str, Any], boundary: Boundary, *, owner: str, limits: Limits, home: Home
    ) -> None:
        self.path = None if job.get("path") is None else Path(job["path"])
        self.owner = owner
        self.hooks: Mapping[str, object] = MappingProxyType({})
        self.distribution, self.version, self.sha256 = job["who"], "", ""
        self.lacking: tuple[str, ...] = ()
        self.unheard: tuple[str, ...] = ()
        self._job = job
        self._boundary = boundary
        self._limits = limits
        self._home = home
        self._report: SidecarReport | None = None
        self._lock = threading.Lock()
        name = job["who"]
        first = self._new_group(f"the sidecar of {name} of {owner}", serves=not self._later)
        # Where the data folders are not known yet, this one describes the plugin, and others serve.
        self._groups = {_SCOUT if self._later else 0: first}
        try:
            told = msgspec.convert(first.start(), PluginTold)
            self.distribution = told.distribution or name
            self.version, self.sha256 = told.version, told.sha256
            self.lacking, self.unheard = tuple(told.lacking), tuple(told.hooks)
            self._providers: Mapping[str, Provider] | None = {
                provider.name: provider for provider in map(self._provider, told.providers)
            }
        except StateholdError:
            self._close()
            raise
        except Exception as error:
            self._close()
            text = (
                f"the sidecar of {name} of {owner} describes itself in a way that cannot be read: {error!r}"
            )
            raise SidecarError(text, reason=Reason.PROTOCOL) from error

    @property
    def providers(self) -> Mapping[str, Provider]:
        """The providers by name."""
        if self._providers is None:
            raise FreedError(f"{self} has been freed")
        return self._providers

    @property
    def status(self) -> SidecarStatus:
        """How its processes fare."""
        groups = list(self._groups.values())
        return SidecarStatus(
            plugin=self.distribution,
            running=sum(group.is_running for group in groups),
            restarts=sum(max(0, group.starts - 1) for group in groups),
            broken=sum(group.is_broken for group in groups),
        )

    def free(self) -> SidecarReport:
        """End the processes; to be called when the storages have been freed. A second call does nothing."""
        return self._report or self._close()

    def _close(self) -> SidecarReport:
        self._providers = None
        problems = []
        for group in self._groups.values():
            try:
                group.close()
            except Exception as error:  # noqa: BLE001 - one that fails does not stop the rest
                problems.append(f"{type(error).__name__}: {error}")
        self._groups.clear()
        self._report = SidecarReport(plugin=str(self), problems=tuple(problems))
        return self._report

    @property
    def _later(self) -> bool:
        return self._boundary.later and self._home.sandbox

    def _new_group(self, who: str, *, serves: bool) -> Group:
        home, boundary = self._home, self._boundary

        def job() -> Mapping[str, Any]:
            policy = boundary.policy(self._limits, serves=serves) if home.sandbox else None
            return {**self._job, "policy": policy, "required": home.required}

        def broker(channel: socket.socket) -> None:
            home.broker.serve(channel, boundary.network, name=who)

        return Group(
            who,
            job,
            broker=broker if boundary.network and home.sandbox else None,
            supervisor=home.supervisor,
            zygote=home.zygote,
            limits=self._limits,
            logger=home.logger,
        )

    def _group(self, partition: int) -> Group:
        each = self._limits.partitions_per_process
        number = 0 if each is None else partition // each
        with self._lock:
            group = self._groups.get(number)
            if group is None:
                of = "" if each is None else f", partitions {number * each} to {(number + 1) * each - 1}"
                text = f"the sidecar of {self._job['who']} of {self.owner}{of}"
                group = self._new_group(text, serves=True)
                group.start()
                self._groups[number] = group
                scout = self._groups.pop(_SCOUT, None)
                if scout is not None:
                    scout.close()
            return group

    def _provider(self, told: ProviderTold) -> Provider:
        def opened(ctx: StorageContext) -> Any:
            return open_storage(provider, self._group(ctx.partition), ctx)

        model = None
        if told.config is not None:
            model = model_made(told.config, partial(self._check_config, told.name))
        provider = Provider(
            name=told.name,
            open=opened,
            operations=cast("Mapping[Operation, list[Scope]]", told.operations),
            key=fields_made(told.key),
            value=fields_made(told.value),
            default_key=fields_made(told.default_key),
            default_value=fields_made(told.default_value),
            config=model,
            sync_projector=told.sync_projector,
            requires=told.requires,
            rank=Rank(told.rank),
            inprocess_only=told.inprocess_only,
            description=told.description,
        )
        return provider

    def _check_config(self, provider: str, config: Mapping[str, Any]) -> None:
        group = next(iter(self._groups.values()))
        try:
            group.ask(k.CHECK_CONFIG, 0, 0, None, [provider, config], group.anything, again=True)
        except StateholdError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is
            raise ValueError(str(error)) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.free()

    def __str__(self) -> str:
        """Return which plugin it is, and whose."""
        where = "" if self.path is None else f" ({self.path.name})"
        return f"plugin {self.distribution} {self.version}{where} of {self.owner}, in a sidecar"

    def __del__(self) -> None:
        if getattr(self, "_report", self) is None:
            warnings.warn(f"{self} was never freed: its processes go on", ResourceWarning, stacklevel=2)
