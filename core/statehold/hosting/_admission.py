from __future__ import annotations

import os
from pathlib import Path

import attrs

from statehold.images import AppImage
from statehold.trust import Trust, Verdict


@attrs.frozen(kw_only=True)
class _Seen:
    """What is judged of an image, without its files."""

    app: str
    version: str
    digest: str
    signatures: bytes | None


class Admission:
    """Lets images in by the host's trust store: the file it was told, or *default* once there is one.

    A store that was there once is not done without: where it is gone, nothing is let in.
    """

    def __init__(self, store: Path | None, *, default: Path) -> None:
        self._store = store
        self._default = default
        self._seen: dict[tuple[str, str], _Seen] = {}

    @property
    def store(self) -> Path | None:
        """The trust store, None where the host has none."""
        if self._store is None and os.path.lexists(self._default):
            self._store = self._default
        return self._store

    def admit(self, image: AppImage, *, since: float | None = None) -> Verdict:
        """Return that *image* is let in; the host took it first at *since*, which is now by default.

        Raises:
            TrustError: it is not.

        """
        seen = _Seen(app=image.app, version=image.version, digest=image.digest, signatures=image.signatures)
        verdict = Trust(path=self.store).judge(seen, at=since)
        self._seen[seen.app, seen.version] = seen
        return verdict

    def confirm(self, app: str, version: str, *, since: float) -> None:
        """Judge once more a version that was let in, without its image: a key may have been revoked.

        Raises:
            TrustError: it is not let in any more.

        """
        Trust(path=self.store).judge(self._seen[app, version], at=since)
