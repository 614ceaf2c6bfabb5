from __future__ import annotations

from statehold.sdk import DeployError


class TrustError(DeployError):
    """An image, a key or the trust store is not to be trusted; nothing of the image was run."""
