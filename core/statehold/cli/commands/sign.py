from __future__ import annotations

from pathlib import Path

import click

from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._passphrases import ask_passphrase, read_passphrase


@click.command("sign")
@click.argument("image", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--key",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The private key, as `statehold keygen` makes it.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the signed image.  [default: IMAGE itself]",
)
@click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The key's passphrase, in the first line of this file; otherwise it is asked for.",
)
@common
def command(
    out: Output, *, image: Path, file: Path, output: Path | None, passphrase_file: Path | None
) -> None:
    """Sign an IMAGE: say with a key that its contents are yours.

    The image is verified before. Its digest stays what it was, and so do the signatures of other keys.
    """
    from statehold.trust import SigningKey, is_encrypted, sign_image  # noqa: PLC0415

    passphrase = read_passphrase(passphrase_file)
    if passphrase is None and is_encrypted(file):
        passphrase = ask_passphrase(out)
    key = SigningKey.load(file, passphrase=passphrase)
    with out.progress(f"signing {image}"):
        signatures = sign_image(image, key, output)
    target = output or image
    keys = [one.key for one in signatures]
    out.document({"image": target, "digest": signatures.digest, "key": key.public.id, "keys": keys})
    out.done(f"{target} is signed with key {key.public.id}")
    out.line(f"  sha256 {signatures.digest}")
