from __future__ import annotations

import sys
from pathlib import Path

from statehold.extensions._engine import EngineContext
from statehold.images import PACKAGES
from statehold.loading import LoadedCode


def load_sources(context: EngineContext) -> LoadedCode:
    """Return the Python code of the image's packages, not yet imported.

    The folder of the package `bills` is `bills`, with its code in `bills.extensions`: as it lies in the
    image.

    Raises:
        PluginError: there is something in it that cannot be loaded privately.

    """
    image = context.image
    packages = {
        top_name(local): f"{PACKAGES}{path}"
        for local, path in context.appdef.packages.items()
        if path in image.extensions
    }
    paths = [
        path for package in context.appdef.packages.values() for path in image.extensions.get(package, ())
    ]
    return LoadedCode(
        {path: image.read(path) for path in paths},
        packages,
        what=f"the code of {context.app} {context.version}",
        place=Path(context.place or f"{context.app}-{context.version}"),
    )


def top_name(package: str) -> str:
    """Return what the code of a package imports itself as; `calendar_` for one that is called `calendar`."""
    taken = package in sys.stdlib_module_names or package in ("statehold", "statehold_vsql")
    return f"{package}_" if taken else package
