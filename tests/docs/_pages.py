"""Reads the examples of a page and runs them, in their order, in a folder with copies of app images.

- ```python blocks are executed, all of a page in one namespace; after `<!-- file: PATH -->` they are
  written to that path instead.
- ```console blocks: a line `$ COMMAND` is run by bash (continued by `> ` lines), the lines behind it are
  what it writes, stderr included; `...` stands for any text. `(exit code N)` says how it ends, if not with 0.
- ```sql blocks are declarations: they compile, as a package of their own.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import attrs

from statehold.cli import run

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
    shutil.copytree(ROOT / "tests/voedger/acme.pos", folder / "acme.pos")
    with contextlib.closing(_Shell(folder)) as shell:
        _run(page, folder, shell)


def _run(page: Path, folder: Path, shell: _Shell) -> None:
    names: dict[str, object] = {}
    for block in blocks(page):
        where = f"{page.relative_to(ROOT)}:{block.line}"
        if block.mark.startswith("file: "):
            (folder / block.mark.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
        elif block.kind == "python":
            with chdir(folder):
                exec(compile(block.text, where, "exec"), names)
        elif block.kind == "console":
            for command in commands(block):
                shell.expect(command, where)


def matches(expected: str, got: str) -> bool:
    pattern = ".*?".join(map(re.escape, expected.split("...")))
    return re.fullmatch(pattern, got, re.DOTALL) is not None


class _Shell:
    """Runs one command after the other, each in the folder that the one before ended in.

    A plain `statehold ...` runs in this process: starting one takes longer than most of them. What a command
    leaves running in the background ends with the page.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = folder.parent / f"{folder.name}.pwd"
        self._groups: list[int] = []
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STATEHOLD_")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def close(self) -> None:
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def expect(self, command: Command, where: str) -> None:
        arguments = _statehold(command.text)
        wrote, code = self._bash(command.text) if arguments is None else self._run(arguments)
        got = "\n".join(line.rstrip() for line in wrote.splitlines()).strip("\n")
        said = f"{where}: $ {command.text}\nended with {code} and wrote:\n{got}"
        assert code == command.code, said
        assert not command.output or matches(command.output, got), f"{said}\n\nexpected:\n{command.output}"

    def _run(self, arguments: list[str]) -> tuple[str, int]:
        with (
            chdir(self._folder),
            patch.dict(os.environ, self._environ, clear=True),
            redirect_stdout(io.StringIO()) as wrote,
            redirect_stderr(wrote),
        ):
            code = run(arguments)
        return wrote.getvalue(), code

    def _bash(self, command: str) -> tuple[str, int]:
        process = subprocess.Popen(
            ["bash", "-c", f"{command}\ncode=$?\npwd > {self._state}\nexit $code"],
            cwd=self._folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._groups.append(process.pid)
        wrote, _ = process.communicate(timeout=120)
        if self._state.exists():
            self._folder = Path(self._state.read_text(encoding="utf-8").strip())
        return wrote, process.returncode


def _statehold(command: str) -> list[str] | None:
    """Return the arguments of a `statehold` command that needs no shell, None for any other."""
    words = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars=True)
    words.whitespace_split = True
    name, *arguments = words
    plain = name == "statehold" and not any(set(word) <= set("();<>|&") or "$" in word for word in arguments)
    return arguments if plain else None
