from __future__ import annotations

import traceback
from collections.abc import Callable

from statehold.extensions._errors import ExtensionError


def failure(
    who: str,
    error: BaseException,
    *,
    extension: str,
    redact: Callable[[str], str],
    place: Callable[[str], str | None] = lambda _: None,
) -> ExtensionError:
    """Return the error that says which extension raised what, and where, and shows no secret of the app.

    Its cause is *error*, unless its traceback shows a secret: then a note has that traceback without it.

    *place* turns the file name of a traceback into a path in the image, None for a file of others.
    """
    where = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = place(frame.f_code.co_filename)
        if path is not None:
            where = f"{path}:{line}"
    text = str(error).strip()
    said = f"{type(error).__name__}{f': {text}' if text else ''}"
    made = ExtensionError(
        redact(f"{who} raised {said}{f' at {where}' if where else ''}"), extension=extension, place=where
    )
    shown = "".join(traceback.format_exception(error))
    redacted = redact(shown)
    if redacted == shown:
        made.__cause__ = error
    else:
        made.add_note(redacted.rstrip())
    return made
