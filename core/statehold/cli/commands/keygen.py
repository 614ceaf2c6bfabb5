from __future__ import annotations

from pathlib import Path

import click

from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._passphrases import ask_passphrase, read_passphrase

_EPILOG = """\b
Example:
  statehold keygen acme.key
  statehold sign acme.bills-2.shi --key acme.key
  statehold trust add acme acme.key.pub
"""


@click.command("keygen", epilog=_EPILOG)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--passphrase", "ask", is_flag=True, help="Encrypt it with a passphrase, and ask for that.")
@click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Encrypt it with the first line of this file.",
)
@common
def command(out: Output, *, file: Path, ask: bool, passphrase_file: Path | None) -> None:
    """Make a key that signs images: FILE, and FILE.pub for those who are to trust it.

    FILE is for its owner alone, and neither file replaces another one.
    """
    from statehold.trust import SigningKey  # noqa: PLC0415

    if not file.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {file.parent}.", param_hint="FILE")
    passphrase = read_passphrase(passphrase_file)
    if ask and passphrase is None:
        passphrase = ask_passphrase(out, twice=True)
    key = SigningKey.generate()
    public = key.save(file, passphrase=passphrase)
    out.document({"key": key.public.id, "private": file, "public": public})
    out.done(f"key {key.public.id}")
    out.line(f"  {file} signs; keep it to yourself")
    out.line(f"  {public} is for hosts: statehold trust add OWNER {public}")
