from __future__ import annotations

import smtplib
from collections.abc import Sequence
from typing import Any, Final

import attrs

from statehold.sdk import Clock, Intent, Key, StorageContext, StorageError, Value
from statehold_sys._intents import Inserts
from statehold_sys._mail._config import SendMailConfig
from statehold_sys._mail._message import Mail
from statehold_sys._mail._smtp import MailRefusedError, Sender
from statehold_sys._network import AddressPolicy

_FAILURES: Final = (MailRefusedError, smtplib.SMTPException, OSError, ValueError, LookupError)


@attrs.frozen(eq=False, kw_only=True)
class SendMail(Inserts):
    """Sends the mail that a key describes: now with GET, when the intents are applied with INSERT."""

    _name: str
    _sender: Sender
    _clock: Clock
    _value: Any

    @classmethod
    def open(cls, ctx: StorageContext) -> SendMail:
        """Return a storage that has connected to nothing yet."""
        policy = AddressPolicy.of(ctx.storage, ctx.allowances)
        sender = Sender(policy=policy, config=ctx.config or SendMailConfig())
        return cls(name=ctx.storage, sender=sender, clock=ctx.clock, value=ctx.value)

    def get(self, key: Key) -> Value | None:
        """Send the mail and return whether that worked; what went wrong stands in `ErrorMessage`."""
        try:
            self._send(self._mail(key))
        except StorageError as error:
            return self._answer(error.message)
        return self._answer("")

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for a key that no mail can be made of."""
        for item in items:
            self._mail(item.key)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Send the mails one by one; StorageError at the first failure says how many had been sent."""
        mails = [self._mail(item.key) for item in items]
        for sent, mail in enumerate(mails):
            try:
                self._send(mail)
            except StorageError as error:
                if len(mails) == 1:
                    raise
                raise StorageError(
                    f"{error.message} ({sent} of {len(mails)} mails had been sent)", hint=error.hint
                ) from error

    def free(self) -> None:
        """Do nothing: every mail has a connection of its own."""

    def _mail(self, key: Key) -> Mail:
        return Mail.of(self._name, key, now=self._clock.now())

    def _send(self, mail: Mail) -> None:
        try:
            self._sender.send(mail)
        except _FAILURES as error:
            reason = str(error) or type(error).__name__
            raise StorageError(f"{self._name}: {mail.host}:{mail.port}: {reason}") from error

    def _answer(self, error: str) -> Value:
        answer: Value = self._value(Success=not error, ErrorMessage=error)
        return answer
