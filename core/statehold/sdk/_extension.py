from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, overload

F = TypeVar("F", bound=Callable[..., Any])

#: The attribute by which the host finds an extension's function; holds the name it gives itself, or "".
EXTENSION: Final = "__statehold_extension__"


@overload
def extension(function: F, /) -> F: ...
@overload
def extension(name: str = "", /) -> Callable[[F], F]: ...
def extension(function_or_name: F | str = "", /) -> F | Callable[[F], F]:
    """Mark a function as the code of a command, query, projector or job of its package.

    It belongs to the declaration of the same name, whatever the case and the underscores: `pay_bill` is
    `PayBill`. `@extension("PayBill")` names the declaration itself. The function stays as it is; its one
    argument is the call (`statehold.extensions.python.Call`).

    Raises:
        TypeError: it stands above a class.

    """
    if not isinstance(function_or_name, str):
        return _marked(function_or_name, "")
    name = function_or_name
    return lambda function: _marked(function, name)


def _marked(function: F, name: str) -> F:
    if isinstance(function, type):
        raise TypeError(f"@extension marks a function, and {function.__name__} is a class")
    setattr(function, EXTENSION, name)
    return function
