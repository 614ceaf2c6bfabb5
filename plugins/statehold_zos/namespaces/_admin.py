from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import attrs

from statehold_zdb.client import Client, Place, ReplyError, ZdbConnectionError
from statehold_zos.model import Mode, RefusedError, ZosError

_MISSING: Final = ("not found", "doesn't exists")


@attrs.frozen(kw_only=True)
class Found:
    """A namespace, as its server says it is; `disk` is 0 where that does not say it."""

    mode: Mode
    maxsize: int
    used: int
    disk: int
    entries: int
    public: bool
    password: bool
    locked: bool
    failed: str
    refusals: int


class Admin:
    """A connection to a server for its administrator. No password is ever in an error."""

    def __init__(self, socket: Path, secret: str, *, limit: float) -> None:
        self._socket = socket
        try:
            self._client = Client(Place(socket=str(socket)), limit=limit)
        except (ZdbConnectionError, ReplyError) as error:
            raise ZosError(f"the 0-db at {socket} does not answer: {error.message}") from error
        try:
            self._call("AUTH", secret)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ping(self) -> None:
        """Raise ZosError where the server does not answer."""
        self._call("PING")

    def make(self, name: str, *, mode: Mode, size: int, password: str) -> None:
        """Make a namespace, which nobody can use without its password, or beyond its limit, at any moment.

        Our server makes it whole. Others have to be told one thing after another: what comes with one packet
        they do without looking at anybody else, and the namespace is locked until all was taken.

        Raises:
            RefusedError: the server cannot make it so; nothing of it is left.

        """
        said = {"password": password, "public": "0", "maxsize": str(size), "mode": mode.value}
        try:
            self._call("NSNEW", name, *(word for pair in said.items() for word in pair))
        except RefusedError as error:
            if "Unexpected arguments" not in error.message:
                raise
        else:
            return
        steps = [("NSNEW", name), ("NSSET", name, "lock", "1")]
        steps += [("NSSET", name, what, value) for what, value in said.items()]
        try:
            self._all(steps)
            self.lock(name, locked=False)
        except BaseException:
            with suppress(ZosError):
                self.delete(name)
            raise

    def delete(self, name: str) -> None:
        """Delete a namespace, if there is one of that name."""
        (answer,) = self._calls([("NSDEL", name)])
        if isinstance(answer, ReplyError) and not _is_missing(answer):
            raise self._refused(("NSDEL", name), answer)

    def limit(self, name: str, size: int) -> None:
        """Say how many payload bytes a namespace may hold."""
        self._call("NSSET", name, "maxsize", str(size))

    def lock(self, name: str, *, locked: bool) -> None:
        """Say whether a namespace can only be read."""
        self._call("NSSET", name, "lock", str(int(locked)))

    def hide(self, name: str) -> None:
        """Let nobody read a namespace without its password."""
        self._call("NSSET", name, "public", "0")

    def password(self, name: str, password: str) -> None:
        """Give a namespace another password."""
        self._call("NSSET", name, "password", password)

    def reload(self, name: str) -> None:
        """Let a namespace be written again after a sync that its disk refused."""
        self._call("RELOAD", name)

    def compact(self, name: str) -> None:
        """Give back what a namespace does not need, where the server can do that at once."""
        with suppress(RefusedError):
            self._call("COMPACT", name)

    def names(self) -> list[str]:
        """Return the names of all namespaces but `default`."""
        return [text for each in self._call("NSLIST") if (text := each.decode()) != "default"]

    def found(self, names: Sequence[str]) -> dict[str, Found]:
        """Return what the server says of each namespace of these names that it has."""
        found: dict[str, Found] = {}
        for name, answer in zip(names, self._calls([("NSINFO", name) for name in names]), strict=True):
            if not isinstance(answer, ReplyError):
                found[name] = _found(answer)
            elif not _is_missing(answer):
                raise self._refused(("NSINFO", name), answer)
        return found

    def _call(self, *words: str) -> Any:
        (answer,) = self._calls([words])
        if isinstance(answer, ReplyError):
            raise self._refused(words, answer)
        return answer

    def _all(self, commands: Sequence[Sequence[str]]) -> None:
        for words, answer in zip(commands, self._calls(commands), strict=True):
            if isinstance(answer, ReplyError):
                raise self._refused(words, answer)

    def _refused(self, words: Sequence[str], answer: ReplyError) -> RefusedError:
        # Only the first word and the name are told: others may be passwords.
        what = words[0] if words[0] == "AUTH" else " ".join(words[:2])
        return RefusedError(f"the 0-db at {self._socket} refused {what}: {answer.message}")

    def _calls(self, commands: Sequence[Sequence[str]]) -> list[Any]:
        try:
            return self._client.calls([[word.encode() for word in words] for words in commands])
        except ZdbConnectionError as error:
            raise ZosError(f"the 0-db at {self._socket} does not answer: {error.message}") from error


def _is_missing(answer: ReplyError) -> bool:
    return any(words in answer.message for words in _MISSING)


def _found(answer: bytes) -> Found:
    lines: Mapping[str, str] = dict(
        line.split(": ", 1) for line in answer.decode("utf-8", "replace").splitlines() if ": " in line
    )
    failed = lines.get("failed", "no")
    data = int(lines.get("data_disk_bytes", "0"))
    return Found(
        mode=Mode.SEQ if lines.get("mode", "").startswith("seq") else Mode.USER,
        maxsize=int(lines.get("data_limits_bytes", "0")),
        used=int(lines.get("data_size_bytes", "0")),
        disk=data and data + int(lines.get("index_size_bytes", "0")),
        entries=int(lines.get("entries", "0")),
        public=lines.get("public") == "yes",
        password=lines.get("password") == "yes",
        locked=lines.get("locked") == "yes",
        failed="" if failed == "no" else failed,
        refusals=int(lines.get("stats_data_io_errors", "0")),
    )
