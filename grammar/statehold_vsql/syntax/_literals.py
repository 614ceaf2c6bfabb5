from __future__ import annotations

import re

_ESCAPES = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|([0-3][0-7]{2})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]?))"
)
_INT64 = 2**63


class BadLiteral(ValueError):  # noqa: N818  # a value for the lexer, not an error of the library
    """A literal whose value cannot be told."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def text_value(written: str) -> str:
    """Return the text that stands between quotes, with the escapes that Go has."""
    if "\\" not in written:
        return written
    return _ESCAPE.sub(_unescape, written)


def _unescape(found: re.Match[str]) -> str:
    simple, octal, *numbers, other = found.groups()
    if simple:
        return _ESCAPES[simple]
    if octal:
        return chr(int(octal, 8))
    for number in numbers:
        if number:
            code = int(number, 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise BadLiteral(f"there is no character {found[0]}", "")
            return chr(code)
    raise BadLiteral(
        f"unknown escape {found[0]!a} in a text"
        if not other.isprintable()
        else f"unknown escape \\{other} in a text",
        "a backslash is written \\\\",
    )


def fraction_value(written: str) -> float:
    """Return the number that is written with a point in it."""
    value = float(written)
    if value in (float("inf"), float("-inf")):
        raise BadLiteral("this number is too large", "")
    return value


def number_value(written: str) -> int:
    """Return the whole number that is written, of up to 64 bits."""
    whole = int(written) if len(written) <= 20 else _INT64
    if not -_INT64 <= whole < _INT64:
        raise BadLiteral("this number does not fit into 64 bits", "")
    return whole
