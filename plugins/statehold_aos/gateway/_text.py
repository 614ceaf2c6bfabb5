from __future__ import annotations

import base64
import binascii
from typing import Final

from statehold_aos.gateway._errors import MessageError

#: What stands as `stateEncoding` beside a state that is no text.
BASE64: Final = "base64"


def text_of(state: bytes) -> tuple[str, str]:
    """Return a state as JSON has it, and its encoding: empty for text, as in AOS, else `base64`."""
    try:
        return state.decode(), ""
    except UnicodeDecodeError:
        return base64.b64encode(state).decode(), BASE64


def state_of(text: str, encoding: str = "") -> bytes:
    """Return the state that `text_of` was given.

    Raises:
        MessageError: there is no such encoding, or the text is not of it.

    """
    try:
        if not encoding:
            return text.encode()
        if encoding == BASE64:
            return base64.b64decode(text, validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError) as error:
        raise MessageError(f"a state in a message cannot be read: {error}") from error
    raise MessageError(f"a state in a message has the encoding {encoding!r}, expected none or {BASE64!r}")
