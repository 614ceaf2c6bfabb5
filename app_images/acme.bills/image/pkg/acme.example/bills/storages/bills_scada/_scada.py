from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from bills_scada._historian import Historian, Point, Reading
from statehold.sdk import (
    Field,
    Intent,
    Key,
    Operation,
    Provider,
    Secret,
    StorageContext,
    StorageError,
    Value,
)


class Config(msgspec.Struct):
    """What the declaration's JSONCONFIG gives: where the devices are, and the password for them."""

    URL: str
    Password: Secret


class Scada:
    """Points of devices: GET reads one, INSERT sets one."""

    def __init__(self, ctx: StorageContext) -> None:
        if not ctx.config.Password.reveal():
            raise StorageError(f"the kitchens at {ctx.config.URL} want a password")
        self._historian = Historian(ctx.data_folder / "historian.db")
        self._value = ctx.value
        self._clock = ctx.clock
        ctx.logger.info("reading the kitchens at %s", ctx.config.URL)

    def get(self, key: Key) -> Value | None:
        """Return the reading of a point, None for a point that was never set."""
        found = self._historian.read(_point(key))
        return None if found is None else self._value(At=found[0], Reading=found[1])

    def value_to_insert(self, _key: Key, value: Value) -> Value:
        """Give a reading without a time the present one."""
        given: Any = value
        if given.At is not None:
            return value
        return self._value(Reading=given.Reading, At=int(self._clock.now() * 1000))

    def validate(self, items: Sequence[Intent]) -> None:
        """Refuse an impossible temperature before any device is touched."""
        for item in items:
            degrees = item.value["Reading"]
            if not isinstance(degrees, float) or not -50 <= degrees <= 500:
                raise StorageError(
                    f"{item.key['Device']}: {degrees} degrees",
                    hint="Ovens and fridges are between -50 and 500 degrees",
                )

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Set the points."""
        self._historian.report((_point(item.key), _reading(item.value)) for item in items)

    def free(self) -> None:
        """Hang up."""
        self._historian.close()


def _point(key: Any) -> Point:
    return key.WSID, key.Device, key.Point


def _reading(value: Any) -> Reading:
    return value.At, value.Reading


provider = Provider(
    name="Scada",
    description="points of kitchen devices",
    operations=[Operation.GET, Operation.INSERT],
    key=[Field("Device", "text", required=True), Field("Point", "text", required=True)],
    value=[Field("Reading", "float64"), Field("At", "int64")],
    config=Config,
    open=Scada,
)
