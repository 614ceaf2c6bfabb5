from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from statehold.cli._output import Output

R = TypeVar("R")


def common(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command `--json` and `--debug`, and an `Output` as its first argument."""

    @click.option("--json", "as_json", is_flag=True, help="Write one JSON document, errors too.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @wraps(function)
    def command(*args: Any, as_json: bool, debug: bool, **kwargs: Any) -> R:
        return function(Output(json=as_json, debug=debug), *args, **kwargs)

    return command
