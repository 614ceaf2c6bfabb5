from __future__ import annotations

import re
from collections.abc import Iterable
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, getaddresses, make_msgid
from typing import Final

import attrs

from statehold.sdk import Key, StorageError

_BREAKS: Final = re.compile(r"[\r\n\0]")
_ADDRESS: Final = re.compile(r"[^\s<>(),;:\\\"\[\]@\x00-\x1f\x7f]+@[^\s<>(),;:\\\"\[\]@\x00-\x1f\x7f]+\Z")
_ONE_LINE: Final = ("Host", "From", "To", "CC", "BCC", "Subject", "Username", "Password")


@attrs.frozen(kw_only=True)
class Mail:
    """A mail as the key describes it, checked: whom to ask, as whom, and what to send to whom."""

    host: str
    port: int
    username: str
    password: str = attrs.field(repr=False)
    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage = attrs.field(repr=False)

    @classmethod
    def of(cls, storage: str, key: Key, *, now: float) -> Mail:
        """Return the mail that *key* describes; StorageError for a missing or malformed field."""
        text = {name: _lines(storage, name, key[name]) for name in _ONE_LINE}
        for name in ("Host", "From", "To"):
            if not any(text[name]):
                raise StorageError(f"{storage}: {name} is missing", hint=f"Give the key its {name}")
        port = key["Port"]
        if not isinstance(port, int) or not 0 < port < 65536:
            raise StorageError(f"{storage}: expected a Port from 1 to 65535, got {port}")
        senders = _addresses(storage, "From", text["From"])
        if len(senders) != 1:
            raise StorageError(f"{storage}: expected one address in From, got {len(senders)}")
        recipients = [one for name in ("To", "CC", "BCC") for one in _addresses(storage, name, text[name])]
        message = EmailMessage(policy=SMTP)
        message["Subject"] = "".join(text["Subject"])
        message["From"] = text["From"][0]
        message["To"] = ", ".join(text["To"])
        if text["CC"]:
            message["Cc"] = ", ".join(text["CC"])
        message["Date"] = formatdate(now)
        message["Message-ID"] = make_msgid(domain=senders[0].rpartition("@")[2])
        message.set_content(str(key["Body"] or ""), subtype="html", charset="utf-8")
        return cls(
            host=text["Host"][0],
            port=port,
            username="".join(text["Username"]),
            password="".join(text["Password"]),
            sender=senders[0],
            recipients=tuple(dict.fromkeys(recipients)),
            message=message,
        )


def _lines(storage: str, name: str, given: object) -> tuple[str, ...]:
    lines = given if isinstance(given, tuple) else (given or "",)
    if any(_BREAKS.search(line) for line in lines):
        # What is in the field is not shown: it may be the password.
        raise StorageError(f"{storage}: expected no line break in {name}", hint="It would forge a header")
    return tuple(line for line in lines if line)


def _addresses(storage: str, name: str, lines: Iterable[str]) -> list[str]:
    found = [address for _, address in getaddresses(list(lines))]
    for address in found:
        if not _ADDRESS.match(address):
            raise StorageError(
                f"{storage}: expected mail addresses in {name}, got {address!r:.80}",
                hint="Write somebody@example.com or Some Body <somebody@example.com>",
            )
    return found
