from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._text import plural, printable

if TYPE_CHECKING:
    from statehold.images import AppImage

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("verify")
@click.argument("image", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--key",
    "keys",
    type=_FILE,
    multiple=True,
    help="Refuse it unless the key in this .pub file has signed it.",
)
@click.option("--trust", type=_FILE, help="Refuse it unless this trust store takes it.")
@common
def command(out: Output, *, image: Path, keys: tuple[Path, ...], trust: Path | None) -> None:
    """Verify every name, size and digest in an IMAGE, and who has signed it.

    Without --key and --trust, signatures are listed and mean nothing: anybody can make a key.
    """
    from statehold.images import open_image, verify_image  # noqa: PLC0415

    with out.progress(f"verifying {image}"):
        problems = verify_image(image)
    if problems:
        found = [{"code": p.code, "path": p.path, "message": p.message, "hint": p.hint} for p in problems]
        out.document({"image": image, "problems": found}, ok=False)
        for problem in problems:
            out.line(f"{click.style('error:', fg='red', bold=True)} {printable(problem.message)}")
            if problem.path:
                out.line(f"  in {printable(problem.path)}")
            if problem.hint:
                out.line(f"  {click.style('hint:', fg='cyan')} {printable(problem.hint)}")
        out.line(f"\n{click.style('✗', fg='red')} {image} is refused: {plural(len(problems), 'problem')}")
        click.get_current_context().exit(1)
    with open_image(image) as opened:
        signers = _signers(opened)
        trusted = _trusted(opened, keys, trust)
    document = {
        "image": image,
        "problems": [],
        "app": opened.app,
        "version": opened.version,
        "digest": opened.digest,
        "files": len(opened.files),
        "keys": signers,
        "trusted": trusted,
    }
    out.document(document)
    out.done(f"{image} is sound: {opened.app} {opened.version}, {plural(len(opened.files), 'file')}")
    out.line(f"  sha256 {opened.digest}")
    for signer in signers:
        out.line(f"  signed with key {signer}{', which is trusted' if signer in (trusted or ()) else ''}")


def _signers(image: AppImage) -> list[str]:
    from statehold.trust import Signatures  # noqa: PLC0415

    return [] if image.signatures is None else [one.key for one in Signatures.parse(image.signatures)]


def _trusted(image: AppImage, files: tuple[Path, ...], trust: Path | None) -> list[str] | None:
    """Return whose word the image is taken on; None where nobody asked."""
    from statehold.trust import (  # noqa: PLC0415
        PublicKey,
        Trust,
        TrustedKey,
        TrustError,
        TrustStore,
        judge,
    )

    found = [] if trust is None else list(Trust(path=trust).judge(image).keys)
    for file in files:
        public = PublicKey.load(file)
        owner = image.app.partition(".")[0]
        store = TrustStore().with_key(owner, TrustedKey(public=public))
        try:
            found += judge(store, image, at=0.0).keys
        except TrustError as error:
            raise TrustError(f"not signed with key {public.id} of {file}: {error.message}") from error
    return list(dict.fromkeys(found)) if files or trust else None
