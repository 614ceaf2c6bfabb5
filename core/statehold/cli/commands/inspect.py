from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import click

from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._text import plural, printable, size


@click.command("inspect")
@click.argument("image", type=click.Path(exists=True, path_type=Path))
@click.option("--files", is_flag=True, help="List every file with its size and digest.")
@click.option(
    "--trust",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Say of each signature whether this trust store takes it.",
)
@common
def command(out: Output, *, image: Path, files: bool, trust: Path | None) -> None:
    """Show what is in an IMAGE, or a folder, and who has signed it.

    Nothing is refused for its signatures: that does `statehold verify`. Without --trust, they mean
    nothing: anybody can make a key.
    """
    from statehold.images import inspect_image  # noqa: PLC0415

    with out.progress(f"inspecting {image}"):
        found = cast("Mapping[str, Any]", inspect_image(image))
        signed, problem = _signed(image, trust)
    out.document({**found, "signatures": signed, "problem": problem})
    if not out.json:
        for line in (*_lines(found), *_signatures(signed, problem)):
            out.line(printable(line))
        if files:
            out.line("files:")
            for file in found["files"]:
                out.line(f"  {file['sha256'][:12]}  {size(file['size']):>8}  {printable(file['path'])}")


def _lines(found: Mapping[str, Any]) -> list[str]:
    descriptor = found["descriptor"]
    lines = [
        f"{found['app']} {found['version']}",
        f"  sha256      {found['digest']}",
        f"  size        {size(found['size'])} in {len(found['files'])} files",
        f"  partitions  {descriptor['NumParts']}",
    ]
    for package, parts in found["packages"].items():
        lines.append(f"package {package}")
        lines += [f"  declarations  {name}" for name in parts["declarations"]]
        lines += [f"  plugin        {p['name']}  {size(p['size'])}" for p in parts["plugins"]]
        if parts["wasm"]:
            lines.append(f"  wasm          {parts['wasm']}")
        if parts["extensions"]:
            lines.append(f"  extensions    {plural(len(parts['extensions']), 'file')}")
    for package, params in descriptor["PackageParams"].items():
        lines += [f"parameter {package}.{name} = {value}" for name, value in params.items()]
    for storage, settings in descriptor["Storages"].items():
        lines += [f"storage {storage}: {name} {_text(value)}" for name, value in settings.items() if value]
    for package, settings in descriptor["Extensions"].items():
        lines += [f"extensions {package}: {name} {_text(value)}" for name, value in settings.items() if value]
    return lines


def _signed(path: Path, trust: Path | None) -> tuple[list[dict[str, object]], str]:
    """Return the signatures, and why they cannot be read; trusted is None where nobody asked."""
    from statehold.images import open_image  # noqa: PLC0415
    from statehold.trust import TrustError, TrustStore, read_store, signers  # noqa: PLC0415

    store = TrustStore() if trust is None else read_store(trust)
    with open_image(path) as image:
        try:
            found = signers(store, image, at=time.time())
        except TrustError as error:
            return [], error.message
    if trust is None:
        return [{"key": one.key, "owners": None, "trusted": None, "problem": ""} for one in found], ""
    return [
        {"key": one.key, "owners": list(one.owners), "trusted": one.trusted, "problem": one.problem}
        for one in found
    ], ""


def _signatures(signed: list[dict[str, Any]], problem: str) -> Iterator[str]:
    if not signed:
        yield problem or "signed by nobody"
    for one in signed:
        told = {None: "", True: ", which is trusted", False: f": {one['problem']}"}[one["trusted"]]
        whose = f" of {', '.join(one['owners'])}" if one["owners"] else ""
        yield f"signed with key {one['key']}{whose}{told}"


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name} ({_text(item)})" if isinstance(item, Mapping) else f"{name} = {_text(item)}"
            for name, item in value.items()
            if item
        )
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
