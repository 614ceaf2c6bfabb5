from __future__ import annotations

import re
from collections.abc import Iterable

import click

from statehold.sdk import Principal

_ROLE = re.compile(r"(?P<role>[A-Za-z]\w*\.[A-Za-z]\w*)(@(?P<workspace>\d{1,18}))?")


def principal_of(
    roles: Iterable[str], *, name: str, device: bool = False, profile: int = 0, option: str = "--role"
) -> Principal:
    """Return who has the roles, each given as `bills.Waiter` for all workspaces or `bills.Waiter@65537`."""
    found: dict[int, set[str]] = {}
    for text in roles:
        match = _ROLE.fullmatch(text)
        if match is None:
            raise click.BadParameter(
                f"{text!r} is no role: expected package.Role, or package.Role@WORKSPACE.", param_hint=option
            )
        found.setdefault(int(match["workspace"] or 0), set()).add(match["role"])
    return Principal(
        name=name,
        kind=2 if device else 1,
        profile=profile,
        roles={workspace: frozenset(given) for workspace, given in found.items()},
    )
