from __future__ import annotations

import io
import json
import re
import shlex
import sys
import textwrap
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from statehold.cli._output import Output
from statehold.cli._session import Session
from statehold.sdk import StateholdError

if TYPE_CHECKING:
    from statehold.cli.demo._client import Client
    from statehold.hosting import Host

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_WORKSPACE = re.compile(r"^workspaces/\d+/")
_WIDTH = 79


class Teller:
    """Tells a story whose commands really run, and stops where one does not do what the story says.

    While `host` is set, the commands use it instead of opening one each.
    """

    def __init__(self, out: Output) -> None:
        self._out = out
        self._color = click.get_current_context().color
        if self._color is None:
            self._color = sys.stdout.isatty()
        self.host: Host | None = None
        self.steps: list[dict[str, Any]] = []

    def step(self, title: str, text: str) -> None:
        """Begin a numbered step."""
        self.steps.append({"title": title, "commands": []})
        head = f"{len(self.steps)}. {title} "
        self._out.line()
        self._out.line(click.style(f"{head}{'─' * (_WIDTH - len(head))}", fg="cyan", bold=True))
        self.say(text)

    def say(self, text: str) -> None:
        """Write a paragraph."""
        self._out.line()
        self._out.line(textwrap.fill(" ".join(text.split()), _WIDTH))

    def note(self, text: str) -> None:
        """Write what came of the step before."""
        self._out.line()
        self._out.line(textwrap.fill(f"✓ {text}", _WIDTH, subsequent_indent="  "))

    def show(self, command: str) -> None:
        """Write a command that the story does by other means."""
        self._out.line()
        self._out.line(click.style(f"$ {command}", bold=True))

    def run(self, command: str, *, code: int = 0, says: str = "", brief: bool = False) -> str:
        """Write a `statehold` command, run it, write what it says, and return that without colours.

        Where *brief*, only the last line of it is written, and of that what fits.

        Raises:
            StateholdError: it does not end with *code*, or does not say *says*.

        """
        self.show(command)
        text, got = self._execute(shlex.split(command.replace("\\\n", " "))[1:])
        plain = _ANSI.sub("", text)
        last = text.rstrip().rpartition("\n")[2]
        shown = last if len(_ANSI.sub("", last)) <= _WIDTH else f"{_ANSI.sub('', last)[: _WIDTH - 3]}..."
        self._out.line(shown if brief else text.rstrip())
        self.steps[-1]["commands"].append({"command": command, "exit_code": got, "output": plain})
        self.expect(got == code, f"`{command}` to end with {code}, it ended with {got}")
        said = says in " ".join(plain.split())
        self.expect(said, f"`{command}` to say {says!r}, it said {plain!r}")
        return plain

    def ask(
        self,
        who: Client,
        method: str,
        path: str,
        body: object = None,
        *,
        status: int = 200,
        says: str = "",
        **parameters: object,
    ) -> dict[str, Any]:
        """Write an HTTP request of somebody, send it, write the answer, and return its document.

        In what is written, `...` stands for the path of the workspace.

        Raises:
            StateholdError: it is not answered with *status*, or does not say *says*.

        """
        shown = "&".join(f"{name}={json.dumps(value)}" for name, value in parameters.items())
        request = f"{method} {_WORKSPACE.sub('.../', path)}{'?' if shown else ''}{shown}"
        self._out.line()
        self._fill(
            f"{who.name} > ", f"{request} {json.dumps(body)}" if body is not None else request, bold=True
        )
        got, document = who.ask(method, path, body, **parameters)
        answer = f"{got} {json.dumps(document, ensure_ascii=False)}"
        self._fill(f"{' ' * len(who.name)} < ", answer)
        self.steps[-1]["commands"].append({"command": request, "status": got, "output": document})
        self.expect(got == status, f"`{request}` to be answered with {status}, got {answer}")
        self.expect(says in answer, f"`{request}` to be answered with {says!r}, got {answer}")
        return document

    def expect(self, holds: bool, what: str) -> None:  # noqa: FBT001
        """Stop the story where *what* does not hold."""
        if not holds:
            raise StateholdError(
                f"step {len(self.steps)} of the demo expected {what}",
                hint="`statehold demo --debug` shows the tracebacks of errors",
            )

    def _fill(self, head: str, text: str, *, bold: bool = False) -> None:
        """Write a text of several lines behind *head*."""
        lines = textwrap.wrap(text, _WIDTH - len(head), break_on_hyphens=False)
        for number, line in enumerate(lines):
            self._out.line(click.style(f"{' ' * len(head) if number else head}{line}", bold=bold))

    def _execute(self, arguments: list[str]) -> tuple[str, int]:
        from statehold.cli._main import execute  # noqa: PLC0415

        with redirect_stdout(io.StringIO()) as captured, redirect_stderr(captured):
            session = Session(host=self.host, width=_WIDTH)
            code = execute(
                arguments + ["--debug"] * self._out.debug, color=bool(self._color), session=session
            )
        return captured.getvalue(), code
