from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar, cast

from statehold.extensions.wasm._errors import GuestError
from statehold.extensions.wasm._guest import Guest
from statehold.extensions.wasm._keys import KeyBuilder, Targets
from statehold.extensions.wasm._limits import WasmLimits
from statehold.extensions.wasm._memory import Memory, decoded
from statehold.extensions.wasm._packages import Packages
from statehold.extensions.wasm._values import (
    Fields,
    MismatchError,
    converters,
    element,
    is_list,
    mismatch,
    nested,
)
from statehold.sdk import Key, Value
from statehold.state import NotExistsError, State, ValueBuilder

_ABSENT: Final = 2**64 - 1
_DEEPEST_READ: Final = 8

T = TypeVar("T")


class Host:
    """What a guest reaches through the functions of module `env`: the state of one call, by handles.

    A handle is an index into one of four lists: key builders, keys that were read, values, and intents. They
    begin anew with each call.
    """

    def __init__(self, memory: Memory, packages: Packages, fields: Fields, limits: WasmLimits) -> None:
        self.guest: Guest
        #: Whether the guest has used its state in this call.
        self.asked = False
        self._memory = memory
        self._packages = packages
        self._fields = fields
        self._limits = limits
        self._builders: list[KeyBuilder] = []
        self._keys: list[Key | None] = []
        self._values: list[Any] = []
        self._intents: list[ValueBuilder | None] = []
        #: Of the results of a query, the one that has not been sent yet.
        self._unsent = -1
        self._reading = 0
        self._left = 0
        self._gets = 0
        self._nothing = Targets((), packages)
        self.end()

    def begin(self, state: State, targets: Targets) -> None:
        """Take on a call."""
        self._state = state
        self._targets = targets
        self._left = self._limits.copied_bytes
        self._gets = self._limits.values
        self._reading = 0
        self._unsent = -1
        self.asked = False

    def end(self) -> None:
        """Let go of all that the call had."""
        # Without targets there are no key builders, and without those the state is not asked for.
        self._state = cast("State", None)
        self._targets = self._nothing
        self._builders.clear()
        self._keys.clear()
        self._values.clear()
        self._intents.clear()

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by the names that guests import."""
        found: dict[str, Callable[..., Any]] = {
            "hostGetKey": self._get_key,
            "hostGetValue": self._get_value,
            "hostQueryValue": self._query_value,
            "hostReadValues": self._read_values,
            "hostNewValue": self._new_value,
            "hostUpdateValue": self._update_value,
            "hostValueLength": self._length,
            "hostValueAsValue": self._value_of,
            "hostValueGetAsValue": self._value_at,
            "hostRowWriterPutString": self._put_text,
            "hostRowWriterPutBytes": self._put_bytes,
            "hostRowWriterPutQName": self._put_qname,
            "hostRowWriterPutBool": self._put_bool,
        }
        for kind in ("Int32", "Int64", "Float32", "Float64"):
            found[f"hostRowWriterPut{kind}"] = self._put
        for kind, convert in converters(self._memory, self._packages).items():
            found[f"hostKeyAs{kind}"] = self._field_reader(self._keys, "key", convert)
            found[f"hostValueAs{kind}"] = self._field_reader(self._values, "value", convert)
            found[f"hostValueGetAs{kind}"] = self._element_reader(convert)
        return found

    # Keys, values and intents

    def _get_key(self, storage: int, storage_size: int, entity: int, entity_size: int) -> int:
        names = self._name(storage, storage_size), self._name(entity, entity_size)
        target = self._targets.get(*names)
        if target is None:
            self._refuse(*names)
        self._builders.append(KeyBuilder(target))
        return self._handle(self._builders, "key builders", self._limits.keys)

    def _get_value(self, handle: int) -> int:
        builder, key = self._key(handle)
        value = self._get(key)
        if value is None:
            target = builder.target
            raise NotExistsError(
                f"{key!r} does not exist",
                state=self._state.name,
                storage=target.storage,
                entity=target.entity,
                key=key,
            )
        self._values.append(value)
        return self._handle(self._values, "values", self._limits.values)

    def _query_value(self, handle: int) -> int:
        value = self._get(self._key(handle)[1])
        if value is None:
            return _ABSENT
        self._values.append(value)
        return self._handle(self._values, "values", self._limits.values)

    def _get(self, key: Key) -> Value | None:
        self.asked = True
        # The time of a GET is not the guest's: this is what ends a loop of GETs that find nothing.
        self._gets -= 1
        if self._gets < 0:
            raise GuestError(f"it makes more than {self._limits.values} GETs in one call")
        time = self.guest.time
        before = time.ticks
        value = self._state.get(key)
        if time.ticks != before:
            self.guest.forgive(before)
        return value

    def _read_values(self, handle: int) -> None:
        builder = self._of(self._builders, handle, "key builder")
        self.asked = True
        if self._reading >= _DEEPEST_READ:
            raise GuestError(f"it reads inside of reads, more than {_DEEPEST_READ} deep")
        self._keys.append(None)
        key_handle = self._handle(self._keys, "keys", self._limits.keys)
        self._values.append(None)
        value_handle = self._handle(self._values, "values", self._limits.values)
        self._reading += 1
        guest, time = self.guest, self.guest.time
        before = time.ticks
        rows = self._state.read(builder.prefix(self._state.workspace))
        try:
            for self._keys[key_handle], self._values[value_handle] in rows:
                if time.ticks != before:
                    guest.forgive(before)
                guest.on_read(key_handle, value_handle)
                before = time.ticks
        finally:
            self._reading -= 1
            self._keys[key_handle] = self._values[value_handle] = None
            close = getattr(rows, "close", None)
            if close is not None:
                close()
        if time.ticks != before:
            guest.forgive(before)

    def _new_value(self, handle: int) -> int:
        key = self._key(handle)[1]
        self.asked = True
        time = self.guest.time
        before = time.ticks
        self._intents.append(self._state.new_value(key))
        if time.ticks != before:
            # The result before this one was sent, and who gets it was slow.
            self.guest.forgive(before)
        made = self._handle(self._intents, "intents", self._limits.keys)
        slot = self._state.uses.of_key.get(type(key))
        if slot is not None and slot.streamed:
            if self._unsent >= 0:
                self._intents[self._unsent] = None
            self._unsent = made
        return made

    def _update_value(self, handle: int, existing: int) -> int:
        value = self._of(self._values, existing, "value")
        key = self._key(handle)[1]
        self.asked = True
        self._intents.append(self._state.update_value(key, value))
        return self._handle(self._intents, "intents", self._limits.keys)

    # Reading

    def _field_reader(
        self, rows: list[Any], what: str, convert: Callable[[Any], Any]
    ) -> Callable[[int, int, int], Any]:
        read, find, most = self._memory.read, self._fields.get, self._limits.name_bytes

        def field(handle: int, pointer: int, length: int) -> Any:
            if handle >= len(rows):
                self._bad(what, handle, rows)
            row, name = rows[handle], read(pointer, length) if length <= most else self._name(pointer, length)
            value = find(row, name)
            try:
                return convert(value)
            except MismatchError as error:
                raise mismatch(row, name.decode(), value, str(error)) from None

        return field

    def _element_reader(self, convert: Callable[[Any], Any]) -> Callable[[int, int], Any]:
        def read(handle: int, index: int) -> Any:
            row = self._of(self._values, handle, "value")
            value = element(row, index)
            try:
                return convert(value)
            except MismatchError as error:
                raise mismatch(row, f"[{index}]", value, str(error)) from None

        return read

    def _value_of(self, handle: int, pointer: int, length: int) -> int:
        row, name = self._of(self._values, handle, "value"), self._name(pointer, length)
        value = self._fields.get(row, name)
        try:
            self._values.append(nested(value))
        except MismatchError as error:
            raise mismatch(row, name.decode(), value, str(error)) from None
        return self._handle(self._values, "values", self._limits.values)

    def _value_at(self, handle: int, index: int) -> int:
        row = self._of(self._values, handle, "value")
        value = element(row, index)
        try:
            self._values.append(nested(value))
        except MismatchError as error:
            raise mismatch(row, f"[{index}]", value, str(error)) from None
        return self._handle(self._values, "values", self._limits.values)

    def _length(self, handle: int) -> int:
        row = self._of(self._values, handle, "value")
        if not is_list(row):
            raise mismatch(row, "its length", row, "a list")
        return len(row)

    # Writing

    def _put(self, handle: int, kind: int, name: int, name_size: int, value: object) -> None:
        text = decoded(self._name(name, name_size))
        if not kind:
            self._of(self._builders, handle, "key builder").put(text, value)
            return
        intent = self._of(self._intents, handle, "intent")
        if intent is None:
            raise GuestError(f"it puts {text} into a result after it has made the next one")
        intent.put(**{text: value})

    def _put_bool(self, handle: int, kind: int, name: int, name_size: int, value: int) -> None:
        self._put(handle, kind, name, name_size, value != 0)

    def _put_text(self, handle: int, kind: int, name: int, name_size: int, *value: int) -> None:
        self._put(handle, kind, name, name_size, self._text(*value))

    def _put_bytes(self, handle: int, kind: int, name: int, name_size: int, *value: int) -> None:
        self._put(handle, kind, name, name_size, self._copy(*value))

    def _put_qname(self, handle: int, kind: int, name: int, name_size: int, *value: int) -> None:
        package, entity = self._text(*value[:2]), self._text(*value[2:])
        qname = f"{self._packages.local(package)}.{entity}" if package or entity else None
        self._put(handle, kind, name, name_size, qname)

    def _text(self, pointer: int, length: int) -> str:
        return decoded(self._copy(pointer, length))

    def _name(self, pointer: int, length: int) -> bytes:
        name = self._memory.read(pointer, length)
        if length > self._limits.name_bytes:
            raise GuestError(f"it gave a name of {length} bytes, and {self._limits.name_bytes} are the most")
        return name

    def _copy(self, pointer: int, length: int) -> bytes:
        data = self._memory.read(pointer, length)
        self._left -= length
        if self._left < 0:
            raise GuestError(
                f"it put more than {self._limits.copied_bytes} bytes into its keys and intents",
                hint="Ask for less in one call",
            )
        return data

    # Handles

    def _key(self, handle: int) -> tuple[KeyBuilder, Key]:
        builder = self._of(self._builders, handle, "key builder")
        return builder, builder.key(self._state.workspace)

    def _of(self, things: list[T], handle: int, what: str) -> T:
        if handle >= len(things):
            self._bad(what, handle, things)
        return things[handle]

    @staticmethod
    def _handle(things: list[Any], what: str, most: int) -> int:
        if len(things) > most:
            raise GuestError(f"it makes more than {most} {what} in one call")
        return len(things) - 1

    def _bad(self, what: str, handle: int, things: list[Any]) -> NoReturn:
        raise GuestError(f"it gave {handle} for a {what}, and has {len(things)} of them, counted from 0")

    def _refuse(self, storage: bytes, entity: bytes) -> NoReturn:
        if self._targets is self._nothing:
            raise GuestError("it asks for storages while no extension of it is called")
        names = storage.decode(errors="replace"), entity.decode(errors="replace")
        self._state.uses.slot(*self._targets.named(*names))
        raise GuestError(f"it asks for {names[0]}({names[1]}), which has not been prepared for it")
