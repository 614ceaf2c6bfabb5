"""What a file of an image may be called, and how its app and version are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from statehold.images._limits import ImageLimits
from statehold.images._problem import Problem

APP = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}\.[A-Za-z][A-Za-z0-9_-]{0,62}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_PART_BYTES = 255


def check_names(names: Iterable[str], limits: ImageLimits) -> list[Problem]:
    """Return what is wrong with the paths of an archive, each by itself and together.

    A path that ends with a slash is a folder.
    """
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    files: set[str] = set()
    for given in names:
        name = given.removesuffix("/")
        message = _fault(name, limits)
        if message:
            problems.append(Problem(code="name", message=message, path=name))
        folded = fold(name)
        if folded in seen:
            other = seen[folded]
            twice = "is there twice" if other == name else f"cannot be told from {other!r} on every system"
            problems.append(Problem(code="duplicate", message=twice, path=name))
        seen[folded] = name
        if name == given:
            files.add(folded)
    for folded, name in seen.items():
        head = folded
        while "/" in head:
            head = head.rpartition("/")[0]
            if head in files:
                message = f"lies in {seen[head]!r}, which is a file"
                problems.append(Problem(code="duplicate", message=message, path=name))
                break
    return problems


def fold(name: str) -> str:
    """Return the same text for names that some file system takes for one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _fault(name: str, limits: ImageLimits) -> str:
    if not name:
        return "a file without a name"
    if any(unicodedata.category(char) in _UNSEEN for char in name):
        return "control or invisible characters in a file's name"
    if "\\" in name:
        return "a backslash in a file's name"
    if name.startswith("/"):
        return "an absolute path"
    if ":" in name:
        return "a drive letter or a colon in a file's name"
    parts = name.split("/")
    if ".." in parts:
        return "a path with '..' that leads out of the image"
    if "." in parts or "" in parts:
        return "a path with an empty part or '.'"
    if len(name.encode()) > limits.name_bytes or any(len(part.encode()) > _PART_BYTES for part in parts):
        return f"a name that is longer than {limits.name_bytes} bytes, or {_PART_BYTES} in one part"
    return ""
