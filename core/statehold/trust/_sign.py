from __future__ import annotations

from pathlib import Path

from statehold.images import open_image
from statehold.trust._errors import TrustError
from statehold.trust._keys import SigningKey
from statehold.trust._signatures import Signatures


def sign_image(path: Path, key: SigningKey, out: Path | None = None) -> Signatures:
    """Add the signature of *key* to the packed image at *path*, or write that to *out*; return all it has.

    The image is verified completely before. Signing twice with one key changes nothing.

    Raises:
        ImageError: it is no sound image.
        TrustError: it is a folder, or has signatures that are not over its contents.
        OSError: the file cannot be written.

    """
    with open_image(path) as image:
        if not path.is_file():
            raise TrustError(
                f"{path} is a folder, and a signature is over a built image",
                hint=f"statehold build {path}, and sign that",
            )
        before = Signatures(digest=image.digest, signatures=())
        if image.signatures is not None:
            before = Signatures.parse(image.signatures)
            if before.digest != image.digest:
                raise TrustError(
                    f"{path} has signatures over other contents (digest {before.digest[:12]}..., its own: "
                    f"{image.digest[:12]}...)",
                    hint="Build the image again and sign that",
                )
        signatures = before.signed(image.app, key)
        image.save(path if out is None else out, signatures=signatures.dump())
    return signatures
