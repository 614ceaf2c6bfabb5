"""Reads the examples of a page and runs them, in their order, in a folder with a copy of app_images.

- ```python blocks are executed, all of a page in one namespace; after `<!-- file: PATH -->` they are
  written to that path instead.
- ```console blocks: a line `$ COMMAND` is run by bash (continued by `> ` lines), the lines behind it are
  what it writes, stderr included; `...` stands for any text. `(exit code N)` says how it ends, if not with 0.
- ```sql blocks are declarations: they compile, as a package of their own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@attrs.frozen
class Block:
    kind: str
    mark: str
    text: str
    line: int


@attrs.frozen
class Command:
    text: str
    output: str
    code: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["kind"], found["mark"] or "", found["text"], text.count("\n", 0, found.start()) + 1)
        for found in _FENCE.finditer(text)
    ]


def commands(block: Block) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        lines = part.rstrip("\n").split("\n")
        count = 1
        while count < len(lines) and (lines[count].startswith("> ") or lines[count] == ">"):
            count += 1
        command = "\n".join([lines[0], *(line[2:] for line in lines[1:count])])
        code = re.fullmatch(r"\(exit code (\d+)\)", lines[-1])
        output = lines[count:-1] if code else lines[count:]
        yield Command(command, "\n".join(output).strip("\n"), int(code[1]) if code else 0)


def run_page(page: Path, folder: Path) -> None:
    shutil.copytree(ROOT / "app_images", folder / "app_images", ignore=shutil.ignore_patterns("__pycache__"))
    shell = _Shell(folder)
    names: dict[str, object] = {}
    for block in blocks(page):
        where = f"{page.relative_to(ROOT)}:{block.line}"
        if block.mark.startswith("file: "):
            (folder / block.mark.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
        elif block.kind == "python":
            previous = Path.cwd()
            os.chdir(folder)
            try:
                exec(compile(block.text, where, "exec"), names)
            finally:
                os.chdir(previous)
        elif block.kind == "console":
            for command in commands(block):
                shell.expect(command, where)


def matches(expected: str, got: str) -> bool:
    pattern = ".*?".join(map(re.escape, expected.split("...")))
    return re.fullmatch(pattern, got, re.DOTALL) is not None


class _Shell:
    """Runs one command after the other, each in the folder that the one before ended in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = folder.parent / f"{folder.name}.pwd"
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STATEHOLD_")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def expect(self, command: Command, where: str) -> None:
        done = subprocess.run(
            ["bash", "-c", f"{command.text}\ncode=$?\npwd > {self._state}\nexit $code"],
            cwd=self._folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        got = "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip("\n")
        said = f"{where}: $ {command.text}\nended with {done.returncode} and wrote:\n{got}"
        assert done.returncode == command.code, said
        assert not command.output or matches(command.output, got), f"{said}\n\nexpected:\n{command.output}"
        if self._state.exists():
            self._folder = Path(self._state.read_text(encoding="utf-8").strip())
