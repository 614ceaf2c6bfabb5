from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from statehold_vsql import ExtensionEngine
from statehold_vsql.appdef import AppDef, ExtensionDef


def declared(appdef: AppDef, engine: ExtensionEngine) -> dict[str, ExtensionDef]:
    """Return the extensions that are declared for *engine*, by qualified name; functions are none."""
    return {
        str(extension.name): extension
        for extension in appdef.extensions.values()
        if extension.engine is engine and extension.kind.scope is not None
    }


def compare(
    appdef: AppDef, engine: ExtensionEngine, found: Mapping[str, str], *, what: str = "function"
) -> list[str]:
    """Return what is declared and not in the code, and what is in the code and not declared.

    *found* says where in the image each name of the code is, empty where nobody knows; *what* is what
    the code has for each: `function`, `export`.
    """
    wanted = declared(appdef, engine)
    others = {str(name): extension for name, extension in appdef.extensions.items()}
    article = "an" if what[0] in "aeiou" else "a"
    problems = []
    for name, extension in wanted.items():
        if name not in found:
            near = _nearest(name, [each for each in found if each not in wanted])
            hint = f"Did you mean {near!r} for it?" if near else "Write one, or take the declaration out"
            problems.append(
                f"{extension.position}: {extension.kind} {name} is declared, and the code has no {what} for "
                f"it. {hint}"
            )
    for name, place in sorted(found.items()):
        other = others.get(name)
        if name in wanted or (other is not None and other.engine is engine):
            continue
        if other is not None:
            why = f"{other.position} declares it for EXTENSION ENGINE {other.engine}, not {engine}"
            hint = "Declare it there, or take it out of the code"
        else:
            why = "nothing declares it"
            near = _nearest(name, [each for each in wanted if each not in found])
            hint = f"Did you mean {near!r}?" if near else "Declare it, or take it out of the code"
        problems.append(
            f"{f'{place}: ' if place else ''}the code has {article} {what} for {name}, and {why}. {hint}"
        )
    return problems


def plain(name: str) -> str:
    """Return a name as it is compared: without case and underscores."""
    return name.replace("_", "").lower()


def _nearest(name: str, names: Iterable[str]) -> str:
    by_plain = {plain(each): each for each in names}
    near = get_close_matches(plain(name), by_plain, n=1)
    return by_plain[near[0]] if near else ""
