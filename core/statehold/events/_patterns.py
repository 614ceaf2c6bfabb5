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
#: What RE2 writes in another way than Python, or Python warns of within a class.
_TOKEN: Final = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|\Z)"
    r"|\\x\{(?P<point>[0-9A-Fa-f]+)\}"
    r"|(?P<escape>\\.)"
    r"|\[:(?P<named>\w+):\]"
    r"|(?P<opening>\[\^?\]?)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_ESCAPES: Final = {r"\z": r"\Z", r"\C": "."}


def compile_pattern(pattern: str, *, entity: str, field: str) -> Callable[[str], object]:
    r"""Return what is true of a text in which the pattern of a CHECK is found.

    The pattern is in RE2 syntax and has been checked to be so: `$` and `\z` are the end of the text, and
    `\d`, `\w`, `\s` and `\b` know ASCII only.

    Raises:
        SchemaError: the pattern uses what Python's `re` has no word for, such as `\pL`.

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
    made = []
    at, in_class = 0, False
    while found := _TOKEN.match(pattern, at):
        at = found.end()
        text = found[0]
        match found.lastgroup:
            case "quoted":
                text = re.escape(found["quoted"])
            case "point":
                text = re.escape(chr(int(found["point"], 16)))
            case "escape":
                text = _ESCAPES.get(text, text)
            case "named" if in_class:
                text = _CLASSES[found["named"]]
            case "opening" if not in_class:
                # A `]` right after the beginning of a class means itself.
                in_class = True
                text = text.replace("]", r"\]")
            case _ if in_class:
                in_class = not text.endswith("]")
                text = re.sub(r"[\[&~|]", r"\\\g<0>", text)
            case "other" if text == "$":
                text = r"\Z"
        made.append(text)
    return "".join(made)
