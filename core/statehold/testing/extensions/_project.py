from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from statehold.hosting import Rehearsal
from statehold.sdk import DeployError
from statehold.testing._clock import FakeClock
from statehold.testing.extensions._cast import Cast
from statehold.testing.extensions._stage import Stage


class Project:
    """An application's folder, loaded once for any number of tests; each gets a stage of its own.

    Args:
        folder: the application's folder, `<owner>.<app>`, or an image.
        secrets: its secrets by name; any other is made up.

    Raises:
        ImageError: it is no application.
        CompileError: its declarations have errors.
        DeployError: it could not be deployed for another reason than its code.

    """

    def __init__(self, folder: Path | str, *, secrets: Mapping[str, str] | None = None) -> None:
        path = Path(folder).absolute()
        self._secrets = dict(secrets or {})
        with ExitStack() as stack:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="statehold-"))
            self._rehearsal = stack.enter_context(
                Rehearsal(
                    path, folder=Path(scratch), secrets=secrets, place=str(path) if path.is_dir() else ""
                )
            )
            if self._rehearsal.problems:
                raise DeployError(
                    f"{path} cannot be tested: {'; '.join(self._rehearsal.problems)}",
                    problems=self._rehearsal.problems,
                )
            self._closing = stack.pop_all()

    @contextmanager
    def stage(self) -> Iterator[Stage]:
        """Yield a stage with nothing on it yet."""
        clock, cast = FakeClock(), Cast(self._secrets)
        with self._rehearsal.open(clock=clock, cast=cast, registered_at=int(clock.now() * 1000)) as partition:
            yield Stage(self._rehearsal, partition, clock, cast)

    def close(self) -> None:
        """Remove the code of the application from the process."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
