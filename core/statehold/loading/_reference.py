"""Turns `package.module:object` into the object, or says who failed, from where, why, and what to do."""

from __future__ import annotations

import importlib
import re
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from statehold.sdk import PluginError, Provider

_HERE = str(Path(__file__).parent)
_REFERENCE = re.compile(r"(?P<module>[\w.]+)\s*(?::\s*(?P<object>[\w.]+)\s*)?(?:\[.*\]\s*)?")


def load_object(
    value: str, *, who: str, import_module: Callable[[str], ModuleType], public: Callable[[str], str] = str
) -> object:
    """Return what *value* refers to.

    *who* names the entry and where it comes from. *public* turns a text with private module names
    into what the plugin's author calls them.

    Raises:
        PluginError: the reference is malformed, its module cannot be imported, or has no such object.

    """
    match = _REFERENCE.fullmatch(value.strip())
    if match is None:
        raise PluginError(
            f"{who} cannot be loaded: {value!r} is no reference to an object",
            hint="Write its entry point as `package.module:object`",
        )
    name = match["module"]
    try:
        found: object = import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit, too: it is the plugin's, and the host goes on
        raise _blame(error, who=who, module=name, public=public) from error
    for attribute in filter(None, (match["object"] or "").split(".")):
        try:
            found = getattr(found, attribute)
        except AttributeError as error:
            raise PluginError(
                f"{who} cannot be loaded: {name!r} has no {match['object']!r}",
                hint=_nearest(attribute, dir(found)),
            ) from error
        except Exception as error:  # a module may make its objects only when they are asked for
            raise _blame(error, who=who, module=name, public=public) from error
    return found


def check_is_provider(found: object, *, name: str, who: str) -> Provider:
    """Return *found* as the provider *name*.

    Raises:
        PluginError: it is no `Provider`, or calls itself otherwise.

    """
    if not isinstance(found, Provider):
        got = f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
        raise PluginError(
            f"{who} is not usable: expected a statehold.sdk.Provider, got {got}",
            hint="Let the entry point name an object made by `Provider(name=..., open=..., operations=...)`",
        )
    if found.name != name:
        raise PluginError(
            f"{who} is not usable: its entry point is called {name!r}, its provider {found.name!r}",
            hint="Give both the same name",
        )
    return found


def short(error: BaseException) -> str:
    """Return the error in one line: its type and the first line of what it says."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _blame(error: BaseException, *, who: str, module: str, public: Callable[[str], str]) -> PluginError:
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = public(error.name)
        if module == missing or module.startswith(f"{missing}."):
            return PluginError(
                f"{who} cannot be loaded: there is no module {missing!r} there",
                hint="Correct the entry point, or install the distribution again",
            )
        if missing.partition(".")[0] == module.partition(".")[0]:
            return PluginError(
                f"{who} cannot be loaded: its package has no module {missing!r}, imported by {_where(error)}",
                hint="Correct the import, or add the module",
            )
        return PluginError(
            f"{who} cannot be loaded: it needs the module {missing!r}, which is not installed here; "
            f"imported by {_where(error)}",
            hint=f"Install what provides {missing!r} beside Statehold, or bundle it with the plugin",
        )
    if isinstance(error, SyntaxError):
        return PluginError(
            f"{who} cannot be loaded: {type(error).__name__}: {error.msg} at "
            + (f"{error.filename}:{error.lineno}" if error.filename else _where(error)),
            hint="Correct the plugin; Statehold runs it on the Python it runs on itself",
        )
    return PluginError(
        f"{who} cannot be loaded: importing {module!r} raised {public(short(error))} at {_where(error)}",
        hint="Correct the plugin, or remove it",
    )


def _where(error: BaseException) -> str:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<frozen importlib", _HERE))
        and frame.filename != importlib.__file__
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "its entry point"


def _nearest(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else "Correct the entry point"
