from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from statehold.sdk import UNSET, Intent, Key, StorageContext, StorageError, Value, fields, merge
from statehold_aos._sharing import Use
from statehold_aos.database import users_text
from statehold_aos.launcher._config import LauncherConfig
from statehold_aos.launcher._launcher import Launcher
from statehold_aos.launcher._stores import Stores
from statehold_aos.launcher._unit import Phase, Status

#: What the storage says; what is written there is not looked at.
_SAID: Final = ("Version", "Status", "Since", "Pid", "Restarts", "Message")
_ASKED: Final = ("Image", "Removed", "Purged", "Restart")
#: What stands for all services of a workspace.
_ALL: Final = ""


class LauncherStorage:
    """The services of one partition, and who is there.

    Any number of threads may use it. Two versions of an app share the launcher.

    Attributes:
        name: the storage's qualified name.

    """

    def __init__(self, ctx: StorageContext, lease: Use[Launcher, Stores]) -> None:
        self.name: Final = ctx.storage
        self._lease: Final = lease
        self._key: Final[Callable[..., Key]] = ctx.key_class
        self._value: Final[Callable[..., Value]] = ctx.value
        self._config: Final[LauncherConfig] = ctx.config or LauncherConfig()

    @property
    def launcher(self) -> Launcher:
        """The launcher, for Python code of the host."""
        return self._lease.thing

    def get(self, key: Key) -> Value | None:
        """Return how a service is, or for the empty name who is there and how all are."""
        workspace, service = key.WSID, str(key["Service"])
        statuses = self.launcher.status(workspace)
        if service == _ALL:
            return self._everything(workspace, statuses)
        return next((self._row(one) for one in statuses if one.service == service), None)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order."""
        return [self.get(key) for key in keys]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield everything first, then the services of the workspace by name."""
        workspace, asked = key.WSID, fields(key)["Service"]
        statuses = self.launcher.status(workspace)
        everything = self._everything(workspace, statuses)
        if everything is not None and asked in (UNSET, _ALL):
            yield self._key(workspace, _ALL), everything
        for one in statuses:
            if asked in (UNSET, one.service):
                yield self._key(workspace, one.service), self._row(one)

    def value_to_insert(self, key: Key, value: Value) -> Value:
        """Return *value* without what the storage says itself."""
        said = _SAID if key["Service"] == _ALL else (*_SAID, "Users")
        return msgspec.structs.replace(value, **dict.fromkeys(said))

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        """Return *existing* with *changes*, without what the storage says itself."""
        return self.value_to_insert(key, merge(existing, changes))

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for what cannot be asked for; what an image says is seen when it is applied."""
        if len(items) > 1:
            raise StorageError(
                f"{self.name}: {len(items)} changes in one call, expected one",
                hint="What a service does cannot be undone together with another one",
            )
        for item in items:
            self._work(item)
            if item.value["Image"]:
                image = self._image(str(item.value["Image"]))
                self.launcher.check(item.key.WSID, str(item.key["Service"]), image)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Do what is asked for; when it returns, it is durable, and processes begin and end behind it."""
        for item in items:
            self._work(item)()

    def free(self) -> None:
        """Give the launcher back: the last storage of an app's versions ends the services, in order."""
        self._lease.release()

    def _work(self, item: Intent) -> Callable[[], None]:
        workspace, service, value = item.key.WSID, str(item.key["Service"]), item.value
        if service == _ALL:
            users = self._users(value)
            return lambda: self.launcher.switch(workspace, users)
        asked = [name for name in _ASKED if value[name]]
        if len(asked) != 1:
            raise StorageError(
                f"{self.name}: for service {service!r}, {' and '.join(asked) or 'nothing'} is asked for, "
                f"expected one of {', '.join(_ASKED)}"
            )
        match asked[0]:
            case "Image":
                image = self._image(str(value["Image"]))
                return lambda: self.launcher.install(workspace, service, image)
            case "Removed":
                return lambda: self.launcher.remove(workspace, service)
            case "Purged":
                return lambda: self.launcher.purge(workspace, service)
            case _:
                return lambda: self.launcher.restart(workspace, service)

    def _users(self, value: Value) -> list[str]:
        text = value["Users"]
        try:
            users: Any = msgspec.json.decode(str(text or ""), type=list[str])
        except msgspec.DecodeError as error:
            raise StorageError(f"{self.name}: Users is {text!r}, expected a JSON list of texts") from error
        return list(users)

    def _image(self, name: str) -> Path:
        """Return the folder of an image; never one outside of those that the operator has named."""
        if not self._config.Images:
            raise StorageError(
                f"{self.name}: nobody says where images are", hint='Set {"Images": "/a/folder"} in JSONCONFIG'
            )
        root = Path(self._config.Images).resolve()
        image = (root / name).resolve()
        if not image.is_relative_to(root) or image == root:
            raise StorageError(f"{self.name}: the image {name!r} is not below {root}")
        return image

    def _everything(self, workspace: int, statuses: Sequence[Status]) -> Value | None:
        users = self.launcher.users(workspace)
        if not users:
            return None
        text = users_text(users)
        theirs = [one for one in statuses if one.users == text]
        running = sum(one.phase is Phase.RUNNING for one in theirs)
        wrong = [f"{one.service}: {one.message}" for one in theirs if one.message]
        return self._value(
            Users=text, Status=f"{running} of {len(theirs)} running", Message="; ".join(wrong) or None
        )

    def _row(self, status: Status) -> Value:
        return self._value(
            Users=status.users or None,
            Version=status.version,
            Status=str(status.phase),
            Since=status.since or None,
            Pid=status.pid,
            Restarts=status.restarts,
            Message=status.message or None,
        )
