from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Final

import attrs

from statehold.loading import LoadedCode

#: The module that `statehold stubs` writes, which no host has.
_STUBS: Final = "calls"


@attrs.frozen(kw_only=True)
class Imported:
    """The modules that could be imported, by name, and what is wrong with the others.

    `broken` are the files of those; what they would have defined is not known.
    """

    modules: Mapping[str, ModuleType]
    problems: tuple[str, ...]
    broken: frozenset[str]


def import_modules(code: LoadedCode, redact: Callable[[str], str]) -> Imported:
    """Import every module of the code."""
    modules = {}
    problems: dict[str, None] = {}
    broken = set()
    for name, file in code.modules.items():
        try:
            modules[name] = code.import_module(name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit, too: it is the module's, and the host goes on
            # One that many import fails in each of them, and is told once.
            problems[redact(_problem(code, error, file))] = None
            broken.add(file)
    return Imported(modules=modules, problems=tuple(problems), broken=frozenset(broken))


def _problem(code: LoadedCode, error: BaseException, file: str) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        where = code.file(error.filename) or error.filename
        return f"{where}:{error.lineno}: {type(error).__name__}: {error.msg}"
    where = _where(code, error) or file
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = code.public(error.name)
        last = missing.rpartition(".")[2]
        if missing != error.name:
            mend = "Correct the import, or add the module"
            if last == _STUBS:
                mend = "It is for type checkers alone: import it under `if TYPE_CHECKING:`"
            return f"{where}: the image has no module {missing!r}. {mend}"
        own = next((name for name in code.modules if name.endswith(f".{last}")), "")
        mend = "Install what has it, or put it into the extensions folder"
        if own and last == missing:
            mend = f"Did you mean `from {own.rpartition('.')[0]} import {last}`?"
        return f"{where}: it needs the module {missing!r}, which is not installed here. {mend}"
    text = code.public(str(error).strip())
    said = f"{where}: {type(error).__name__}{f': {text}' if text else ''}, while it was imported"
    if isinstance(error, NameError):
        said += (
            ". If type checkers alone import it, begin the module with `from __future__ import annotations`"
        )
    return said


def _where(code: LoadedCode, error: BaseException) -> str:
    """Return the last line of the image's code that was running."""
    where = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = code.file(frame.f_code.co_filename)
        where = where if file is None else f"{file}:{line}"
    return where
