from __future__ import annotations

import re
from collections.abc import Mapping
from email import message_from_string
from email.errors import InvalidHeaderDefect
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import formatdate, make_msgid
from itertools import chain
from typing import Any, Final

import attrs

from statehold.sdk import Key, StorageError

# All that some mail software takes for the end of a line, and NUL.
_BREAKS: Final = re.compile("[\0\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_ADDRESS: Final = re.compile(r"[^\s<>(),;:\\\"\[\]@\x00-\x1f\x7f]+@[^\s<>(),;:\\\"\[\]@\x00-\x1f\x7f]+\Z")
_PEOPLE: Final = ("From", "To", "CC", "BCC")
_FIELDS: Final = {"Cc": "CC"}
_ONE_LINE: Final = (*_PEOPLE, "Host", "Subject", "Username", "Password")


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
        message = EmailMessage(policy=SMTP)
        message["Subject"] = "".join(text["Subject"])
        found = {name: _addresses(storage, name, ", ".join(text[name])) for name in _PEOPLE}
        for name in ("From", "To", "CC"):
            if text[name]:
                message[name.capitalize()] = ", ".join(text[name])
        _check_written(storage, message, found)
        if len(found["From"]) != 1:
            raise StorageError(f"{storage}: expected one address in From, got {len(found['From'])}")
        (sender,) = found.pop("From")
        message["Date"] = formatdate(now)
        message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
        message.set_content(str(key["Body"] or ""), subtype="html", charset="utf-8")
        return cls(
            host=text["Host"][0],
            port=port,
            username=_ascii(storage, "Username", "".join(text["Username"])),
            password=_ascii(storage, "Password", "".join(text["Password"])),
            sender=sender,
            recipients=tuple(dict.fromkeys(address for one in found.values() for address in one)),
            message=message,
        )


def _lines(storage: str, name: str, given: object) -> tuple[str, ...]:
    lines = given if isinstance(given, tuple) else (given or "",)
    if any(_BREAKS.search(line) for line in lines):
        # What is in the field is not shown: it may be the password.
        raise StorageError(f"{storage}: expected no line break in {name}", hint="It would forge a header")
    return tuple(line for line in lines if line)


def _check_written(storage: str, message: EmailMessage, addresses: Mapping[str, list[str]]) -> None:
    """Refuse headers that say something else once written.

    An encoded word such as `=?utf-8?q?=0D=0A?=` is decoded then, and by some versions of the standard
    library stays so where it is ASCII.
    """
    policy = SMTP if all(map(str.isascii, chain(*addresses.values()))) else SMTPUTF8
    try:
        written = message_from_string(message.as_string(policy=policy), policy=policy)
        same = (
            written.keys() == message.keys()
            and not _BREAKS.search(str(message["Subject"]))
            and all(
                _specs(written[name]) == addresses[_FIELDS.get(name, name)]
                for name in written
                if name != "Subject"
            )
        )
    except Exception:  # noqa: BLE001 - as in _addresses
        same = False
    if not same:
        raise StorageError(
            f"{storage}: a header has an encoded word that would forge another one",
            hint="Write the text itself: it is encoded as needed",
        )


def _ascii(storage: str, name: str, text: str) -> str:
    if text.isascii():
        return text
    # The standard library would say which character of a password it is.
    raise StorageError(f"{storage}: expected a {name} in ASCII, which is what a login by SMTP takes")


def _specs(header: Any) -> list[str]:
    return [address.addr_spec for address in header.addresses]


def _addresses(storage: str, name: str, line: str) -> list[str]:
    # Read as the header that it becomes, so that no server reads it otherwise.
    probe = EmailMessage(policy=SMTP)
    try:
        probe["To"] = line
        header = probe["To"]
        addresses = _specs(header)
        broken = any(type(defect) is InvalidHeaderDefect for defect in header.defects)
    except Exception:  # noqa: BLE001 - the standard library's parser breaks at some texts, in many ways
        addresses, broken = [], True
    if broken or not all(map(_ADDRESS.match, addresses)):
        raise StorageError(
            f"{storage}: expected mail addresses in {name}, got {line!r:.80}",
            hint="Write somebody@example.com or Some Body <somebody@example.com>",
        )
    return addresses
