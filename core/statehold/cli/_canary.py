from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from statehold.hosting import Canary

R = TypeVar("R")


class Share(click.ParamType[float]):
    """A part of a whole: `10%` or `0.1`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return it as a number from 0 to 1."""
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"{text!r}: expected a share such as 10% or 0.1.", param, ctx)
        return share


def canary_options(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options of a canary, and what they say as `canary`; None where none is asked for."""

    @click.option(
        "--canary",
        "share",
        type=Share(),
        metavar="SHARE",
        help="Try it in some of the partitions first: 10%.",
    )
    @click.option(
        "--canary-seconds",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="For how long.  [default: 30]",
    )
    @click.option(
        "--canary-calls",
        type=click.IntRange(min=1),
        metavar="CALLS",
        help="How many calls it is judged by before that time is over.  [default: 100]",
    )
    @click.option(
        "--canary-errors",
        type=Share(),
        metavar="SHARE",
        help="How much more of its calls may fail than of the version before.  [default: 2%]",
    )
    @wraps(function)
    def command(
        *args: Any,
        share: float | None,
        canary_seconds: float | None,
        canary_calls: int | None,
        canary_errors: float | None,
        **kwargs: Any,
    ) -> R:
        more = {"seconds": canary_seconds, "calls": canary_calls, "errors": canary_errors}
        given = {name: value for name, value in more.items() if value is not None}
        if share is None and given:
            raise click.UsageError(f"--canary-{next(iter(given))} goes with --canary.")
        return function(*args, canary=None if share is None else _canary(share=share, **given), **kwargs)

    return command


def _canary(**given: Any) -> Canary:
    from statehold.hosting import Canary  # noqa: PLC0415

    return Canary(**given)
