from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

# Go's encoder writes these so, and the text is a key.
_ESCAPED: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def users_text(users: Iterable[str]) -> str:
    r"""Return the text under which a claim is stored: a JSON list of its users, in their order.

    As the AOS Service Manager writes it, for it is a key: `["ann","bob"]`, and `<` as `\u003c`.
    """
    return json.dumps(list(users), ensure_ascii=False, separators=(",", ":")).translate(_ESCAPED)
