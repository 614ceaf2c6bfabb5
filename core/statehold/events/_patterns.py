from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from statehold.sdk import SchemaError

_CLASSES: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
#: What RE2 writes in another way than Python: a quoted text, `\z`, `\C`, a code point, a POSIX class, `$`.
_TOKEN: Final = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|\Z)|\\x\{(?P<point>[0-9A-Fa-f]+)\}|(?P<escape>\\.)|\[:(?P<class>\w+):\]|(?P<end>\$)"
    r"|(?P<bracket>[\[\]])",
    re.DOTALL,
)


def compile_pattern(pattern: str, *, entity: str, field: str) -> Callable[[str], object]:
    r"""Return what is true of a text in which the pattern of a CHECK is found.

    The pattern is in RE2 syntax and has been checked to be so: `$` and `\\z` are the end of the text, and
    `\\d`, `\\w`, `\\s` and `\\b` know ASCII only.

    Raises:
        SchemaError: the pattern uses what Python's `re` has no word for, such as `\\pL`.

    """
    try:
        return re.compile(_translate(pattern), re.ASCII).search
    except re.error as error:
        raise SchemaError(
            f"{entity}: field {field}: this host cannot run CHECK {pattern!r}: {error}",
            storage=entity,
            field=field,
            expected="a pattern that Python's re has words for",
            got=pattern,
            hint="Unicode classes such as \\pL and flags in the middle of a pattern are not supported",
        ) from error


def _translate(pattern: str) -> str:
    is_class = False

    def python(found: re.Match[str]) -> str:
        nonlocal is_class
        match found.lastgroup:
            case "quoted":
                return re.escape(found["quoted"])
            case "point":
                return re.escape(chr(int(found["point"], 16)))
            case "class":
                return _CLASSES[found["class"]]
            case "end":
                return r"\$" if is_class else r"\Z"
            case "bracket":
                # Within a class a `[` means itself, and so does a `]` right after its beginning.
                text = found.string
                opens = text[: found.start()].endswith(("[", "[^")) and is_class
                if found[0] == "[":
                    if is_class:
                        return r"\["
                    is_class = True
                elif is_class and opens:
                    return r"\]"
                else:
                    is_class = False
                return found[0]
        return {r"\z": r"\Z", r"\C": "."}.get(found[0], found[0])

    return _TOKEN.sub(python, pattern)
