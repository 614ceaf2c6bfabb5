from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final

from statehold.loading.wasm._abi import ADOPT, END, NEXT, READ
from statehold.loading.wasm._calling import Caller
from statehold.loading.wasm._codec import Codec, cursor, encode
from statehold.loading.wasm._errors import GuestError, Reason, WasmError
from statehold.loading.wasm._instance import Instance
from statehold.loading.wasm._limits import WasmLimits
from statehold.loading.wasm._runtime import Runtime
from statehold.sdk import IStateStorage, IWithRows, Key, StorageContext, Value

_ROWS_AT_ONCE: Final = 256

Row = tuple[tuple[Any, ...], Any]


class WasmStorage(Caller):
    """A storage that is an instance of a module; what it can do beyond this is added to it.

    Attributes:
        takes_over: whether it takes rows of the version before.

    """

    def __init__(
        self,
        runtime: Runtime,
        limits: WasmLimits,
        ctx: StorageContext,
        *,
        index: int,
        opening: bytes,
        codec: Codec,
    ) -> None:
        self._codec = codec
        self._value = ctx.value
        self._key_class = ctx.key_class
        self.takes_over = ADOPT in runtime.module.exports
        #: READs that were left, and of which the instance has not heard.
        self._left: deque[tuple[Instance, int]] = deque()
        super().__init__(runtime, limits, ctx, index=index, opening=opening)

    @property
    def life(self) -> int:
        """How many instances it has lost: what one had in memory the next has not."""
        return self._lives

    def take_over(self, existing: IStateStorage | None) -> None:
        """Give the rows of another storage to the module, if it takes any and the other one can give them.

        Raises:
            WasmError: one of the two modules failed.
            StorageError: the module refused a row.
            SchemaError: a row has no place in the KEY or VALUE of this version.

        """
        if isinstance(existing, WasmStorage):
            self.adopt(existing)
        elif isinstance(existing, IWithRows):
            self.adopt_rows(existing)

    def adopt(self, existing: WasmStorage) -> None:
        """Give the rows of *existing* to the module, if it takes any and the other one has READ.

        Raises:
            WasmError: one of the two modules failed.
            StorageError: the module refused a row.
            SchemaError: a row has no place in the VALUE of this version.

        """
        if ADOPT not in self._runtime.module.exports or READ not in existing._runtime.module.exports:
            return
        if existing._codec.key_fields != self._codec.key_fields:
            self._logger.warning(
                "%s begins without the rows of the version before: its KEY is another one", self._name
            )
            return
        self._adopt(existing._every_row(self))

    def adopt_rows(self, existing: IWithRows) -> None:
        """Give the rows of *existing*, which is no module, to this one, if it takes any.

        Raises:
            WasmError: the module failed.
            StorageError: it refused a row.
            SchemaError: a row has no place in the KEY or VALUE of this version.

        """
        if ADOPT in self._runtime.module.exports:
            self._adopt(map(self._own, existing.rows()))

    def _own(self, row: tuple[Key, Value]) -> Row:
        """Return the arrays of a row of another storage; what it has beyond the fields here is left out."""
        codec, (key, value) = self._codec, row
        fields = (getattr(key, field.name, None) for field in codec.key_fields)
        kept = {field.name: getattr(value, field.name, None) for field in codec.value_fields}
        return tuple(codec.key(self._key_class(key.WSID, *fields))), codec.value(self._value(**kept))

    def _adopt(self, given: Iterable[Row]) -> None:
        rows: list[Row] = []
        for row in given:
            rows.append(row)
            if len(rows) >= _ROWS_AT_ONCE:
                self._do(ADOPT, encode(rows))
                rows.clear()
        if rows:
            self._do(ADOPT, encode(rows))

    def _every_row(self, taker: WasmStorage) -> Iterator[Row]:
        """Yield the rows of all workspaces, as arrays of the one that takes them."""
        ours, theirs = self._codec.value_fields, taker._codec.value_fields
        if ours == theirs:
            yield from self._stream(())
            return
        kept = [at for at, field in enumerate(ours) if field.name in {one.name for one in theirs}]
        for key, value in self._stream(()):
            yield key, taker._codec.value(taker._value(**{ours[at].name: value[at] for at in kept}))

    def _stream(self, prefix: tuple[Any, ...]) -> Iterator[Row]:
        """Yield the rows whose keys begin with *prefix*, as arrays."""
        instance, answer = self._alone(READ, lambda one: (one, self._begin(one, encode(prefix))))
        if answer is None:
            return
        # Not with the lock: a refusal is no failure of the instance.
        reading = _Reading(instance, self._decoded(READ, cursor, answer))
        width, is_over = len(prefix), False
        try:
            while not is_over:
                chunk = self._alone(NEXT, reading.more)
                rows = [] if chunk is None else self._decoded(NEXT, self._codec.rows, chunk)
                is_over = not rows
                for row in rows:
                    if row[0][:width] != prefix:
                        raise self._garbled(NEXT, "a row that is not under the key")
                    yield row
        finally:
            if not is_over:
                self._end(reading)

    def _begin(self, instance: Instance, data: bytes) -> bytes | None:
        while self._left:
            old, number = self._left.popleft()
            if old is instance:
                instance.do(END, number)
        return instance.ask(READ, data)

    def _end(self, reading: _Reading) -> None:
        instance, number = reading.instance, reading.number
        # The garbage collector may close a READ in the middle of another call of the same thread.
        if not self._lock.acquire(blocking=False):
            self._left.append((instance, number))
            return
        try:
            if self._instance is instance:
                try:
                    instance.do(END, number)
                except BaseException as error:  # noqa: BLE001 - raised again
                    self._fail(END, error, instance)
        except WasmError:
            # Who leaves a READ has what it wanted; it has been logged.
            return
        finally:
            self._lock.release()


class _Reading:
    """A READ that an instance has begun."""

    def __init__(self, instance: Instance, number: int) -> None:
        self.instance = instance
        self.number = number

    def more(self, instance: Instance) -> bytes | None:
        """Return the next rows, None for no more."""
        if instance is not self.instance:
            raise GuestError(
                "cannot go on with a READ: it was replaced meanwhile", reason=Reason.TRAPPED, is_alive=True
            )
        return instance.call(NEXT, self.number)
