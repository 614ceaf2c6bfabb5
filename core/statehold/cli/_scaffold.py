from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from statehold.sdk import StateholdError


def write_scaffold(kind: str, target: Path, names: Mapping[str, str]) -> tuple[Path, ...]:
    """Write the files of a template into the new folder *target* and return their paths.

    `@NAME@` in paths and texts becomes `names["NAME"]`. Nothing is left behind where a file cannot
    be written.

    Raises:
        StateholdError: *target* exists, or cannot be written.

    """
    if target.exists():
        raise StateholdError(f"{target} exists already", hint="Choose another name, or remove it first")
    made = []
    try:
        for path, text in _files(resources.files("statehold.cli") / "templates" / kind, ""):
            file = target / _fill(_real_name(path), names)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_fill(text, names), encoding="utf-8")
            made.append(file)
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise StateholdError(f"{target} cannot be written: {error.strerror}") from error
    return tuple(sorted(made))


def _files(folder: Traversable, above: str) -> Iterator[tuple[str, str]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _files(item, f"{above}{item.name}/")
        else:
            yield f"{above}{item.name}", item.read_text(encoding="utf-8")


def _real_name(path: str) -> str:
    # Templates end in .txt, so that no tool takes them for what they will become.
    return path.removesuffix(".txt").replace("gitignore", ".gitignore")


def _fill(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"@{name}@", value)
    return text
