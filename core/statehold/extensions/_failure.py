from __future__ import annotations

import traceback
from collections.abc import Callable

from statehold.extensions._errors import CodeError

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
    said = f"{type(error).__name__}{f': {text}' if text else ''}"
    made = CodeError(
        redact(f"{who} raised {said}{f' at {place}' if place else ''}"), extension=extension, place=place
    )
    shown = "".join(traceback.format_exception(error))
    redacted = redact(shown)
    if redacted == shown:
        made.__cause__ = error
    else:
        made.add_note(redacted.rstrip())
    return made


def place_of(error: BaseException, file: File) -> str:
    """Return the innermost place in the image that *error* came through, `path:line`; empty for none."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = file(frame.f_code.co_filename)
        if path is not None:
            place = f"{path}:{line}"
    return place
