from __future__ import annotations

from collections.abc import Mapping

from statehold.extensions.wasm._errors import GuestError


class Packages:
    """Translates between the names of packages that an app uses and the paths that its guests use.

    Args:
        paths: package path by local name.

    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = dict(paths)
        self._locals = {path: local for local, path in paths.items()}

    def path(self, local: str) -> str:
        """Return the path of a package; a name that no package has stays as it is."""
        return self._paths.get(local, local)

    def local(self, path: str) -> str:
        """Return the local name of the package with that path, or with that local name.

        Raises:
            GuestError: the app has no such package.

        """
        found = self._locals.get(path)
        if found is None:
            if path not in self._paths:
                known = ", ".join(sorted(self._locals))
                raise GuestError(f"it names the package {path!r:.100}, which the app does not have: {known}")
            found = path
        return found

    def full(self, name: str) -> str:
        """Return `package.Name` with the package's path."""
        package, dot, entity = name.rpartition(".")
        return f"{self.path(package)}{dot}{entity}"
