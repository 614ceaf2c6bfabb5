from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping

from statehold.hosting._status import FreeReport
from statehold.sdk import HostError

_REMEMBERED = 1000


class Problems:
    """What went wrong without stopping the host, and which versions could not be brought back."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._warnings: deque[str] = deque(maxlen=_REMEMBERED)
        self._failures: dict[tuple[str, str], str] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """The last of them."""
        return tuple(self._warnings)

    @property
    def failures(self) -> Mapping[tuple[str, str], str]:
        """Why versions could not be brought back, by app and version."""
        return dict(self._failures)

    def warn(self, message: str) -> None:
        """Remember *message*, and log it."""
        self._warnings.append(message)
        self._logger.warning("%s", message)

    def freed(self, report: FreeReport) -> None:
        """Remember what was not as it should be when a version was freed; it has been logged."""
        self._warnings.extend(report.problems)
        self._warnings.extend(f"still alive after it was freed: {one}" for one in report.survivors)

    def failed(self, app: str, version: str, error: Exception) -> None:
        """Remember that a version could not be brought back."""
        self._failures[app, version] = str(error)
        self.warn(f"{app} {version} could not be brought back: {error}")

    def mended(self, app: str, version: str) -> None:
        """Forget that a version could not be brought back."""
        self._failures.pop((app, version), None)

    def refuse_failed(self, app: str) -> None:
        """Raise `HostError` if a version of an app could not be brought back."""
        for (failed, version), problem in list(self._failures.items()):
            if failed == app:
                raise HostError(
                    f"{app} is not running: version {version} could not be opened: {problem}",
                    hint="Mend this and deploy it again, or activate another version",
                )
