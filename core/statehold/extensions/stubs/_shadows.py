from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_ATTRIBUTE: Final = re.compile(r"    (\w+): (.+)")
_WORD: Final = re.compile(r"\b[A-Za-z_]\w*\b")


def unshadowed(classes: Iterable[list[str]]) -> tuple[list[list[str]], list[str]]:
    """Let no attribute hide the type that another one of its class has: `str: str` becomes `str: _str`.

    Returns the classes and the lines that make the other names.
    """
    aliases: dict[str, None] = {}
    return [_unshadowed(lines, aliases) for lines in classes], [f"_{name} = {name}" for name in aliases]


def _unshadowed(lines: list[str], aliases: dict[str, None]) -> list[str]:
    attributes = {found[1] for line in lines if (found := _ATTRIBUTE.fullmatch(line))}

    def rename(word: re.Match[str]) -> str:
        if word[0] not in attributes:
            return word[0]
        aliases[word[0]] = None
        return f"_{word[0]}"

    made = []
    for line in lines:
        found = _ATTRIBUTE.fullmatch(line)
        made.append(f"    {found[1]}: {_WORD.sub(rename, found[2])}" if found else line)
    return made
