from __future__ import annotations

import keyword
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._scaffold import write_scaffold
from statehold_vsql import StorageEngine

_PLUGIN = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_APP = re.compile(r"([a-z][a-z0-9]*)\.([a-z][a-z0-9]*)")

_into = click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The folder to make it in.  [default: here]",
)


@click.group("new")
def command() -> None:
    """Make a plugin or an application to start from."""


@command.command("plugin")
@click.argument("name")
@_into
@common
def plugin(out: Output, name: str, into: Path) -> None:
    """Make the storage plugin NAME: a project that installs, with tests that pass.

    The storage is called as the plugin, in one word: `statehold new plugin red-box` makes RedBox.
    """
    if not _PLUGIN.fullmatch(name):
        raise click.BadParameter(
            f"{name!r} is no plugin name: expected lower-case words joined by '-', like 'red-box'.",
            param_hint="NAME",
        )
    package = name.replace("-", "_")
    storage = "".join(word.capitalize() for word in package.split("_"))
    if taken := _taken(package, storage):
        raise click.BadParameter(
            f"{name!r} cannot be the plugin's name: {taken}. Add a word, like 'my-{name}'.",
            param_hint="NAME",
        )
    files = write_scaffold("plugin", into / name, {"NAME": name, "PACKAGE": package, "STORAGE": storage})
    _report(out, into / name, files, f"the plugin {name} with the storage {storage}", "python -m pytest")


@command.command("app")
@click.argument("name")
@_into
@common
def app(out: Output, name: str, into: Path) -> None:
    """Make the application NAME (owner.app), with a storage of its own and a test that passes."""
    found = _APP.fullmatch(name)
    if not found:
        raise click.BadParameter(
            f"{name!r} is no application name: expected owner.app in lower case, like 'acme.bills'.",
            param_hint="NAME",
        )
    if found[2] == "sys":
        raise click.BadParameter(
            f"{name!r} cannot be the application's name: its package would be called sys, which is the name "
            "of the package that all stand on.",
            param_hint="NAME",
        )
    files = write_scaffold("app", into / name, {"OWNER": found[1], "APP": found[2]})
    _report(out, into / name, files, f"the application {name}", "statehold check . && python -m pytest")


def _taken(package: str, storage: str) -> str:
    """Say why a plugin cannot have these names, or nothing if it can."""
    from statehold.loading import installed  # noqa: PLC0415 - only here

    if keyword.iskeyword(package):
        return f"{package} is a keyword of Python"
    # The plugin's modules would hide those, or be hidden by them.
    found = package in sys.stdlib_module_names or find_spec(package)
    if found and (found is True or found.origin):
        return f"a module {package} is there already"
    catalog = installed()
    if storage in {*catalog.names(engine=StorageEngine.BUILTIN), *catalog.announced()}:
        return f"{storage} is a storage of Statehold's own"
    return ""


def _report(out: Output, folder: Path, files: tuple[Path, ...], what: str, then: str) -> None:
    out.document({"folder": folder, "files": [file.relative_to(folder).as_posix() for file in files]})
    out.done(f"made {what}:")
    for file in files:
        out.line(f"    {folder / file.relative_to(folder)}")
    out.line(f"\nNext: cd {folder} && {then}")
