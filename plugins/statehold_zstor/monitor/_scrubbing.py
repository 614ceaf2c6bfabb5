from __future__ import annotations

import logging

import attrs

from statehold.sdk import StateholdError
from statehold_zstor.metadata import MetadataError
from statehold_zstor.monitor._figures import Figures
from statehold_zstor.monitor._pace import Pace, StoppedError
from statehold_zstor.objects import DamagedError, Lane, ObjectNotFoundError, Zstor


@attrs.define(eq=False)
class Scrub:
    """Reads every shard of every object, and mends what is damaged."""

    _zstor: Zstor
    _figures: Figures
    _log: logging.Logger

    def run(self, pace: Pace) -> None:
        """Scrub all objects once.

        Raises:
            MetadataUnavailableError: too few backends of the metadata answer.
            StoppedError: the monitor is to end.

        """
        figures = self._figures
        unreadable = 0
        figures.scrub_done = 0.0

        def failed(name: str, error: MetadataError) -> None:
            nonlocal unreadable
            self._log.error("the metadata under %s: %s", name, error)
            unreadable += 1

        for seen, entry in enumerate(self._zstor.world.metadata.scan(failed=failed), 1):
            unreadable += not self._object(entry.key, pace)
            figures.scrub_done = min(1.0, seen / max(1, figures.objects))
        figures.unreadable = unreadable
        figures.scrub_done = 1.0

    def _object(self, key: str, pace: Pace) -> bool:
        """Scrub one object, and return whether it can be read."""

        def progress(count: int) -> None:
            self._figures.add(scrubbed=count)
            pace(count)

        try:
            repair = self._zstor.improve(key, is_lost=_never, patient=False, progress=progress).repair
        except (ObjectNotFoundError, StoppedError) as error:
            if isinstance(error, StoppedError):
                raise
            return True
        except DamagedError as error:
            self._log.error("%s", error)
            return False
        except StateholdError as error:
            self._log.warning("%r cannot be scrubbed now: %s", key, error)
            return True
        except Exception:  # noqa: BLE001  a defect in one object's way must not keep the others from being scrubbed
            self._log.exception("%r cannot be scrubbed: this is a defect", key)
            return True
        for shard, backend in repair.repaired.items():
            self._log.warning("%r: shard %d on %s was damaged, and is repaired", key, shard, backend)
        self._figures.add(mended=len(repair.repaired))
        return True


def _never(_: Lane) -> bool:
    return False
