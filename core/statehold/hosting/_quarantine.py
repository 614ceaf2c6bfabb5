"""Plugins that do not die when they are freed, and so may not be loaded into this process any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from statehold.hosting._errors import NotFoundError
from statehold.hosting._nearest import nearest
from statehold.hosting._registry import Registry
from statehold.loading import distribution_of
from statehold.sdk import PluginError

if TYPE_CHECKING:
    from dataset.database import Database

#: So many frees in a row that leave something of a plugin behind.
LEAKS: Final = 3

#: What comes of it, for the operator.
WHAT_NOW: Final = "From its next load on it runs in a sidecar; `statehold quarantine lift` ends that"

_TABLE: Final = "leaks"
_CREATE: Final = f"""CREATE TABLE IF NOT EXISTS {_TABLE} (
    id INTEGER PRIMARY KEY, app TEXT NOT NULL, distribution TEXT NOT NULL, version TEXT NOT NULL,
    sha256 TEXT NOT NULL, frees INTEGER NOT NULL, since REAL NOT NULL, why TEXT NOT NULL,
    UNIQUE (app, distribution)
)"""
_SURVIVORS: Final = 5


@attrs.frozen(kw_only=True)
class FreedPlugin:
    """A plugin file that was freed; `survivors` is what did not die, and what holds it."""

    distribution: str
    version: str
    sha256: str
    survivors: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Leaking:
    """A distribution of an app's plugin files that left something behind when it was freed.

    Attributes:
        app: `owner.app`.
        distribution: its name.
        version: the version that leaked last.
        sha256: the digest of its file.
        frees: how many frees in a row have leaked.
        since: when it was quarantined, in seconds since 1970; 0 where it has not been.
        why: what survived the last time, and what holds it.

    """

    app: str
    distribution: str
    version: str
    sha256: str
    frees: int
    since: float
    why: str

    @property
    def quarantined(self) -> bool:
        """Whether it may not be loaded into this process any more."""
        return self.since > 0

    def to_json(self) -> dict[str, Any]:
        """Return what a machine is told."""
        return {**attrs.asdict(self), "quarantined": self.quarantined}

    @property
    def reason(self) -> str:
        """Say in one line why it is in quarantine."""
        day = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d %H:%M")
        return (
            f"{self.distribution} of {self.app} is in quarantine since {day}: freed {self.frees} times in a "
            f"row, it did not die; still there, the last time: {self.why}"
        )


class Quarantine:
    """Counts the frees in a row that leave something of a plugin, and remembers what leaks too often.

    It is kept in the registry's file, each change in one transaction; asking costs no look at the disk.
    """

    def __init__(self, registry: Registry, *, leaks: int = LEAKS) -> None:
        self._registry = registry
        self._leaks = leaks
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Leaking] = registry.transact(_read)

    def holds(self, app: str, distribution: str) -> str:
        """Return why a distribution of an app's plugin files must run in a sidecar; empty if it need not."""
        found = self._known.get((app, distribution))
        return found.reason if found is not None and found.quarantined else ""

    def holds_file(self, app: str, path: Path) -> str:
        """Return the same for the plugin file at *path*.

        One that cannot be loaded into this process at all is not held.
        """
        try:
            return self.holds(app, distribution_of(path))
        except PluginError:
            return ""

    def leaking(self, app: str | None = None) -> tuple[Leaking, ...]:
        """Return what leaked when it was freed the last time, in quarantine or not, of one app or of all."""
        return tuple(one for (of, _), one in sorted(self._known.items()) if app is None or of == app)

    def listed(self, app: str | None = None) -> tuple[Leaking, ...]:
        """Return what is in quarantine, of one app or of all."""
        return tuple(one for one in self.leaking(app) if one.quarantined)

    def freed(self, app: str, plugins: Iterable[FreedPlugin]) -> tuple[Leaking, ...]:
        """Count the plugin files of a version that was freed, and return what is in quarantine by that.

        Raises:
            HostError: the registry cannot be written; nothing was counted then.

        """
        by_name: dict[str, list[FreedPlugin]] = {}
        for plugin in plugins:
            by_name.setdefault(plugin.distribution, []).append(plugin)
        put = []
        with self._lock:
            for distribution, files in by_name.items():
                before = self._known.get((app, distribution))
                leaked = next((file for file in reversed(files) if file.survivors), None)
                if leaked is not None:
                    one = self._count(app, leaked, before)
                    self._registry.transact(partial(_write, one=one))
                    # Others look without the lock.
                    self._known = {**self._known, (app, distribution): one}
                    if one.quarantined and (before is None or not before.quarantined):
                        put.append(one)
                elif before is not None and not before.quarantined:
                    self._forget(app, distribution)
        return tuple(put)

    def lift(self, distribution: str, app: str | None = None) -> tuple[Leaking, ...]:
        """Let a distribution run in the host's process again, for one app or for all; return what was lifted.

        Raises:
            NotFoundError: it is not in quarantine.

        """
        with self._lock:
            found = tuple(one for one in self.listed(app) if one.distribution == distribution)
            if not found:
                where = f" for {app}" if app else ""
                raise NotFoundError(
                    f"{distribution!r} is not in quarantine here{where}",
                    hint=nearest(distribution, [one.distribution for one in self.listed(app)]),
                )
            for one in found:
                self._forget(one.app, one.distribution)
        return found

    def _count(self, app: str, leaked: FreedPlugin, before: Leaking | None) -> Leaking:
        frees = (before.frees if before else 0) + 1
        since = before.since if before else 0.0
        # Those of which it is known who holds them tell the most.
        survivors = sorted(leaked.survivors, key=lambda one: ", held by " not in one)
        why = "; ".join(survivors[:_SURVIVORS])
        if len(leaked.survivors) > _SURVIVORS:
            why += f"; and {len(leaked.survivors) - _SURVIVORS} more"
        return Leaking(
            app=app,
            distribution=leaked.distribution,
            version=leaked.version,
            sha256=leaked.sha256,
            frees=frees,
            since=since or (time.time() if frees >= self._leaks else 0.0),
            why=why,
        )

    def _forget(self, app: str, distribution: str) -> None:
        self._registry.transact(lambda db: db[_TABLE].delete(app=app, distribution=distribution))
        self._known = {key: one for key, one in self._known.items() if key != (app, distribution)}


def _read(db: Database) -> dict[tuple[str, str], Leaking]:
    db.query(_CREATE)
    found = [_leaking(row) for row in db[_TABLE].find(order_by="id")]
    return {(one.app, one.distribution): one for one in found}


def _write(db: Database, one: Leaking) -> None:
    table = db[_TABLE]
    table.delete(app=one.app, distribution=one.distribution)
    table.insert(attrs.asdict(one), ensure=False)


def _leaking(row: Mapping[str, Any]) -> Leaking:
    found = dict(row)
    del found["id"]
    return Leaking(**found)
