from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from statehold.testing.extensions._project import Project
from statehold.testing.extensions._stage import Stage


class Projects:
    """Loads each project once for all tests of a session."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[Path, tuple[tuple[str, str], ...]], Project] = {}
        self._closing = ExitStack()

    def project(self, folder: Path, secrets: Mapping[str, str]) -> Project:
        """Return the project in *folder*, loaded with these secrets."""
        key = folder, tuple(sorted(secrets.items()))
        if key not in self._loaded:
            self._loaded[key] = self._closing.enter_context(Project(folder, secrets=secrets))
        return self._loaded[key]

    def close(self) -> None:
        """Remove the code of all projects from the process."""
        self._loaded.clear()
        self._closing.close()


class Stages:
    """What the fixture `statehold_app` returns: opens stages, which are closed after the test.

    Args:
        projects: where projects are loaded.
        test: the file of the test; the project that it lies in is meant where none is named.

    """

    def __init__(self, projects: Projects, test: Path) -> None:
        self._projects = projects
        self._test = test
        self._closing = ExitStack()

    def __call__(
        self, folder: Path | str | None = None, *, secrets: Mapping[str, str] | None = None
    ) -> Stage:
        """Open a stage for an application's folder, by default the one that the test lies in."""
        path = self._around() if folder is None else Path(folder).absolute()
        return self._closing.enter_context(self._projects.project(path, secrets or {}).stage())

    def close(self) -> None:
        """Close the stages."""
        self._closing.close()

    def _around(self) -> Path:
        for folder in self._test.absolute().parents:
            if (folder / "image" / "pkg").is_dir():
                return folder
        raise FileNotFoundError(
            f"{self._test} lies in no folder with image/pkg: name one, statehold_app(folder)"
        )
