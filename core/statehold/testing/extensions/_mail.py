from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from statehold.sdk import Intent, Key, StorageContext, Value, fields


class MailMock:
    """Takes the mails that extensions send through `sys.SendMail`; nothing leaves the process.

    Attributes:
        sent: the fields of each mail that was sent, in order, without those that are not set.
        error: while it is not empty, mails cannot be sent, for this reason.

    """

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.error = ""

    def open(self, ctx: StorageContext) -> _SendMail:
        """Return the storage that takes the mails."""
        return _SendMail(self, ctx.value)


class _SendMail:
    def __init__(self, mock: MailMock, value: Callable[..., Value]) -> None:
        self._mock = mock
        self._value = value

    def get(self, key: Key) -> Value | None:
        """Send, and say how it went."""
        if self._mock.error:
            return self._value(Success=False, ErrorMessage=self._mock.error)
        self._mock.sent.append(
            {name: value for name, value in fields(key).items() if name != "WSID" and value not in (None, ())}
        )
        return self._value(Success=True)

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Return *value*."""
        return value

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Return *existing*: a mail cannot be changed."""
        return existing

    def validate(self, items: Sequence[Intent]) -> None:
        """Do nothing: any mail can be taken."""

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Send the mails."""
        for item in items:
            self.get(item.key)

    def free(self) -> None:
        """Do nothing: there is nothing to give back."""
