from __future__ import annotations

from pathlib import Path

import statehold
from statehold.sdk import StateholdError


def sample(name: str) -> Path:
    """Return the source folder of a sample application, `acme.bills`."""
    package = Path(statehold.__file__).parent
    # Installed, the samples lie in the package; in a checkout, beside it.
    for folder in (package / "samples", package.parent.parent / "app_images"):
        if (folder / name).is_dir():
            return folder / name
    raise StateholdError(f"the sample application {name} is not installed", hint="Reinstall statehold")
