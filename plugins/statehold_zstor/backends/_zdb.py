from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from statehold_zdb.client import Place, Pool, ReplyError, ZdbConnectionError
from statehold_zdb.engine import ZdbError
from statehold_zstor.backends._backend import Buffer, Health
from statehold_zstor.backends._errors import (
    BackendDamagedError,
    BackendError,
    BackendFullError,
    BackendRefusedError,
    BackendUnreachableError,
    ValueChangedError,
    ValueMissingError,
)
from statehold_zstor.backends._keys import check_value, checked
from statehold_zstor.config import BackendConfig

_UNKNOWN: Final = "Command not supported"
_CHANGED: Final = "Something else is there"
_NOT_FOUND: Final = "Key not found"
_END: Final = "No more data"
_FULL: Final = ("No space left on this namespace", "Cannot write data right now")
_DAMAGED: Final = "Internal Error"
_YES: Final = "yes"
_SEQUENTIAL: Final = ("Invalid key, only update authorized", "Not in a sequential namespace")


class ZdbBackend:
    """A namespace of a 0-db, ours or the original, whose keys clients choose (mode `user`)."""

    def __init__(self, config: BackendConfig) -> None:
        self.name = config.url
        self._place = Place.parse(config.url)
        password = config.password.reveal() if config.password is not None else ""
        self._pool = Pool(self._place, password, config.timeout)
        self._swaps = True

    def put(self, key: str, value: Buffer) -> None:
        check_value(self.name, value)
        self._call(b"SET", self._key(key), bytes(value))

    def get(self, key: str) -> bytes:
        found = self._get(key)
        if found is None:
            raise ValueMissingError(f"{self.name} has nothing under {key}", backend=self.name)
        return found

    def swap(self, key: str, before: bytes | None, after: bytes | None) -> None:
        if after is not None:
            check_value(self.name, after)
        name = self._key(key)
        if self._swaps:
            answer = self._answer(b"SWAP", name, before or b"", after or b"")
            if not isinstance(answer, ReplyError):
                return
            if answer.message == _CHANGED:
                # A connection that broke may have brought it there already, the first time.
                if self._get(key) == after:
                    return
                raise self._changed(key)
            if answer.message != _UNKNOWN:
                raise self._refused(answer)
            self._swaps = False
        found = self._get(key)
        if found == after:
            return
        if found != before:
            raise self._changed(key)
        if after is None:
            self.delete(key)
        else:
            self._call(b"SET", name, after)

    def delete(self, key: str) -> None:
        answer = self._answer(b"DEL", self._key(key))
        if isinstance(answer, ReplyError) and answer.message != _NOT_FOUND:
            raise self._refused(answer)

    def keys(self, prefix: str = "") -> Iterator[str]:
        start = prefix.encode()
        seen: set[bytes] = set()
        cursor: tuple[bytes, ...] = ()
        while True:
            page = self._answer(b"SCAN", *cursor)
            if isinstance(page, ReplyError):
                if page.message == _END:
                    return
                raise self._refused(page)
            try:
                cursor, found = (
                    (bytes(memoryview(page[0])),),
                    [bytes(memoryview(each[0])) for each in page[1]],
                )
            except (TypeError, LookupError):
                raise self._no_zdb(page, "SCAN") from None
            for key in found:
                # What is written meanwhile is scanned again.
                if key.startswith(start) and key not in seen:
                    seen.add(key)
                    yield key.decode("ascii", "replace")

    def health(self) -> Health:
        try:
            text = self._call(b"NSINFO", self._place.namespace.encode())
            if not isinstance(text, bytes):
                raise self._no_zdb(text, "NSINFO")
        except BackendError as error:
            return Health(reachable=False, problem=error.message)
        lines = (line.partition(": ") for line in text.decode("utf-8", "replace").splitlines())
        fields = {name: value for name, _, value in lines}

        def number(name: str) -> int | None:
            value = fields.get(name, "")
            return int(value) if value.isdigit() else None

        used, limit = number("data_size_bytes"), number("data_limits_bytes") or None
        free = number("data_disk_freespace_bytes")
        if limit is not None and used is not None:
            left = max(0, limit - used)
            free = left if free is None else min(left, free)
        return Health(
            reachable=fields.get("frozen") != _YES,
            objects=number("entries"),
            used=used,
            limit=limit,
            free=free,
            problem=_problem(fields),
        )

    def close(self) -> None:
        self._pool.close()

    def _key(self, key: str) -> bytes:
        return checked(self.name, key).encode()

    def _get(self, key: str) -> bytes | None:
        answer = self._answer(b"GET", self._key(key))
        if isinstance(answer, ReplyError):
            if answer.message.startswith(_DAMAGED):
                raise BackendDamagedError(
                    f"{self.name} cannot read {key}: {answer.message}", backend=self.name
                )
            raise self._refused(answer)
        if answer is None or isinstance(answer, bytes):
            return answer
        raise self._no_zdb(answer, "GET")

    def _call(self, *words: bytes) -> Any:
        answer = self._answer(*words)
        if isinstance(answer, ReplyError):
            raise self._refused(answer)
        return answer

    def _answer(self, *words: bytes) -> Any:
        """Return the answer to a command, a ReplyError too."""
        commands: Sequence[Sequence[bytes]] = [words]
        try:
            return self._pool.calls(commands)[0]
        except ZdbConnectionError as error:
            raise BackendUnreachableError(f"{self.name}: {error.message}", backend=self.name) from error
        except ReplyError as error:
            raise self._refused(error) from error
        except (ZdbError, ValueError) as error:
            raise BackendRefusedError(f"{self.name}: {error}", backend=self.name) from error

    def _refused(self, answer: ReplyError) -> BackendError:
        message = f"{self.name}: it said {answer.message!r}"
        if answer.message in _FULL:
            return BackendFullError(message, backend=self.name, hint="Delete objects, or raise its maxsize")
        hint = ""
        if answer.message in _SEQUENTIAL:
            hint = "Zstor needs a namespace in user mode: NSSET namespace mode user"
        return BackendRefusedError(message, backend=self.name, hint=hint)

    def _no_zdb(self, answer: object, command: str) -> BackendRefusedError:
        told = f"{answer!r:.100}"
        return BackendRefusedError(
            f"{self.name} is no 0-db: it answered {told} to {command}", backend=self.name
        )

    def _changed(self, key: str) -> ValueChangedError:
        return ValueChangedError(f"{self.name}: something else stands under {key}", backend=self.name)


def _problem(fields: Mapping[str, str]) -> str:
    """Return what keeps zstor from using a namespace, by the fields of its NSINFO."""
    if fields.get("failed", "no") != "no":
        return f"it writes no more: {fields['failed']}"
    if fields.get("mode") == "sequential":
        return "the namespace is in sequential mode"
    for name, told in (("frozen", "frozen"), ("locked", "locked"), ("worm", "in worm mode")):
        if fields.get(name) == _YES:
            return f"the namespace is {told}"
    return ""
