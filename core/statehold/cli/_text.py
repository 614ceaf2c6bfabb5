from __future__ import annotations

import textwrap
import unicodedata


def printable(text: object) -> str:
    """Return the text with control characters made visible, so that no file steers a terminal."""
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs", "Cf") else _escape(char)
        for char in str(text)
    )


def width(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
        for char in text
    )


def wrapped(text: str, columns: int | None, *, indent: str = "") -> str:
    """Return the text broken at spaces into lines of at most *columns*, all but the first indented."""
    if columns is None:
        return text
    lines = []
    for number, line in enumerate(text.split("\n")):
        hang = indent + " " * (len(line) - len(line.lstrip(" -")))
        lines += textwrap.wrap(
            line,
            columns,
            initial_indent="" if number == 0 else indent,
            subsequent_indent=hang,
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        ) or [""]
    return "\n".join(lines)


def plural(count: int, noun: str) -> str:
    """Return `1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode() if ord(char) < 0xD800 or ord(char) > 0xDFFF else "\ufffd"
