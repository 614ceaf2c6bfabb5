from __future__ import annotations

import attrs

from statehold.trust._check import Signed, problem_of
from statehold.trust._errors import TrustError
from statehold.trust._signatures import Signatures
from statehold.trust._store import TrustStore


@attrs.frozen(kw_only=True)
class Signer:
    """One signature in an image, and what a trust store says about it.

    Attributes:
        key: the id of the key.
        owners: whose key it is.
        problem: why it does not count; empty where the host takes its word for the image.

    """

    key: str
    owners: tuple[str, ...]
    problem: str

    @property
    def trusted(self) -> bool:
        """Whether it counts."""
        return not self.problem


def signers(store: TrustStore, image: Signed, *, at: float) -> tuple[Signer, ...]:
    """Return every signature of *image*, in the order of the keys' ids, and whether it counts by *store*.

    *at* is when a host takes the image, in seconds since 1970.

    Raises:
        TrustError: the signatures cannot be read.

    """
    if image.signatures is None:
        return ()
    signatures = Signatures.parse(image.signatures)
    other = "" if signatures.digest == image.digest else "it is over other contents"
    owner = image.app.partition(".")[0]
    found = []
    for one in signatures:
        try:
            problem = other or problem_of(store, image, owner, one, at=at)
        except TrustError:
            problem = "the key has not made it"
        found.append(Signer(key=one.key, owners=store.owners_of(one.key), problem=problem))
    return tuple(found)
