from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches

import click

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def word_of(words: Iterable[str], *, plural: bool = False) -> Callable[[str], str]:
    """Return a parameter's type: a word of the language, in any case; with *plural*, in singular too."""
    listed = [str(word) for word in words]
    known = {word: word for word in listed}
    if plural:
        known |= {word.removesuffix("S").replace("QUERIE", "QUERY"): word for word in listed}

    def convert(text: str) -> str:
        if text.upper() in known:
            return known[text.upper()]
        near = get_close_matches(text.upper(), listed, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise click.BadParameter(f"{text!r} is none of {', '.join(listed)}.{hint}")

    return convert


def completing(words: Iterable[str]) -> Complete:
    """Return what completes a word of the language in a shell."""
    listed = [str(word) for word in words]
    return lambda _context, _parameter, begun: [word for word in listed if word.startswith(begun.upper())]
