from __future__ import annotations

import traceback
from collections.abc import Callable
from difflib import get_close_matches

from statehold.extensions._errors import CodeError
from statehold.sdk import Key, StateholdError, Value

#: Turns the file name of a traceback into a path in the image, None for a file of others.
File = Callable[[str], str | None]


def _no_file(_: str) -> None:
    return None


def failure(
    who: str,
    error: BaseException,
    *,
    extension: str,
    redact: Callable[[str], str],
    file: File = _no_file,
) -> CodeError:
    """Return the error that says which extension raised what, and where, and shows no secret of the app.

    Its cause is *error*, unless its traceback shows a secret: then a note has that traceback without it.
    """
    place = place_of(error, file)
    text = str(error).strip()
    where = f" at {place}" if place else ""
    said = f"{who} raised {type(error).__name__}{where}{f': {text}' if text else ''}"
    made = CodeError(redact(said), extension=extension, place=place, hint=_hint(error, text))
    shown = "".join(traceback.format_exception(error))
    redacted = redact(shown)
    if redacted == shown:
        made.__cause__ = error
    else:
        made.add_note(redacted.rstrip())
    return made


def told(error: StateholdError, note: str, *, redact: Callable[[str], str]) -> None:
    """Let an error that passes say *note*, and show no secret of the app in what it says."""
    shown = str(error)
    redacted = redact(shown)
    if redacted != shown:
        error.args = (redacted,)
        error.message = redact(error.message)
        error.hint = redact(error.hint)
    error.add_note(note)


def place_of(error: BaseException, file: File) -> str:
    """Return the innermost place in the image that *error* came through, `path:line`; empty for none."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = file(frame.f_code.co_filename)
        if path is not None:
            place = f"{path}:{line}"
    return place


def _hint(error: BaseException, text: str) -> str:
    """Return how to mend what is easily done wrong with keys, values and storages."""
    if isinstance(error, AttributeError):
        if text.startswith("immutable type"):
            return "Keys and values stay as they are: ask for a change, with update(...) or insert(...)"
        instead_of = getattr(type(error.obj), "_instead_of", None)
        if instead_of is not None and error.name:
            return str(instead_of(error.obj, error.name))
        if isinstance(error.obj, (Key, Value)):
            names = type(error.obj).__struct_fields__
            near = get_close_matches(error.name or "", names, n=1)
            return f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(names)}"
    if isinstance(error, TypeError) and text.startswith("Storage.") and "positional" in text:
        return "Name the fields: get(Number=1)"
    return ""
