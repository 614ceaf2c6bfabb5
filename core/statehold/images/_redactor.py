from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from statehold.images._plain import plain
from statehold.sdk import Secret

_MASK = "***"
_LINE = 8
_ENCODED = 6
_FORMATTER = logging.Formatter()


class Redactor(logging.Filter):
    """Takes known secret values out of log records: message, arguments, exception and stack.

    A value is also found as `plain`, `repr`, JSON, URLs, base64 and hex write it, the latter two within
    what else was encoded, and, where it has several lines, line by line.
    Add it to a handler, so that it sees the records of every logger that writes there.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        super().__init__()
        forms = {form for secret in secrets for form in _forms(secret.reveal())}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __repr__(self) -> str:
        return "Redactor(***)"

    def redact(self, text: str) -> str:
        """Return *text* with `***` in the place of every secret value."""
        return self._pattern.sub(_MASK, text) if self._pattern else text

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact *record* in place and let it pass."""
        if self._pattern is None:
            return True
        # The whole message too: what the arguments have in pieces, it has in one.
        message = _message(record)
        if self._tells(message) or self._tells(record.msg) or self._tells(record.args):
            record.msg = self.redact(message)
            record.args = ()
        traceback = record.exc_text
        if not traceback and record.exc_info and record.exc_info[0] is not None:
            traceback = _FORMATTER.formatException(record.exc_info)
        if self._tells(traceback) or (record.exc_info and self._tells(record.exc_info[1])):
            record.exc_text = self.redact(traceback or "")
            # Whoever formats the exception anew would bring the value back.
            record.exc_info = None
        if record.stack_info:
            record.stack_info = self.redact(record.stack_info)
        for name, value in list(record.__dict__.items()):
            if name not in _OWN and self._tells(value):
                record.__dict__[name] = self.redact(value if isinstance(value, str) else _text(value))
        return True

    def _tells(self, value: object) -> bool:
        if value is None or self._pattern is None:
            return False
        if isinstance(value, tuple):
            return any(map(self._tells, value))
        return bool(self._pattern.search(value if isinstance(value, str) else _text(value)))


_OWN = frozenset(logging.makeLogRecord({}).__dict__)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a log call with wrong arguments must not show what it was given
        return f"{record.msg} (its arguments do not fit and are left out)"


def _text(value: object) -> str:
    try:
        return f"{value} {value!r}"
    except Exception:  # noqa: BLE001 - any object may be logged, also one that cannot be written out
        return ""


def _forms(value: str) -> Iterable[str]:
    lines = [line.strip() for line in value.splitlines()]
    for part in filter(None, (value, value.strip(), *(line for line in lines if len(line) >= _LINE))):
        yield from (
            part,
            plain(part),
            repr(part)[1:-1],
            json.dumps(part)[1:-1],
            json.dumps(part, ensure_ascii=False)[1:-1],
            quote(part, safe="", errors="replace"),
            quote(part, errors="replace"),
            quote_plus(part, errors="replace"),
        )
        data = part.encode(errors="replace")
        yield repr(data)[2:-1]
        if len(data) >= _ENCODED:
            yield from _encoded(data)


def _encoded(data: bytes) -> Iterator[str]:
    """Yield what base64 and hex make of *data*, wherever in other data it stands."""
    yield data.hex()
    yield data.hex().upper()
    for before in range(3):
        # A character holds 6 bits: those that hold bits of *data* only are the same in all surroundings.
        first, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + data).decode()[first:end]
