from __future__ import annotations

from collections.abc import Iterable

from statehold.hosting._entry import Entry, Role
from statehold.hosting._errors import NotFoundError
from statehold.hosting._nearest import nearest
from statehold.hosting._registry import Registry
from statehold.images import AppImage
from statehold.sdk import DeployError


class Deployed:
    """Answers from the registry, or with an error that says what there is instead."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def entries(self, app: str) -> tuple[Entry, ...]:
        """Return the versions of an app, in the order of deployment.

        Raises:
            NotFoundError: there is no such app.

        """
        found = self._registry.entries(app)
        if not found:
            known = {entry.app for entry in self._registry.entries()}
            hint = nearest(app, known) if known else "Nothing is: statehold deploy IMAGE"
            raise NotFoundError(f"no app {app!r} is deployed here", hint=hint)
        return found

    def entry(self, app: str, version: str) -> Entry:
        """Return one version of an app.

        Raises:
            NotFoundError: there is no such app or version.

        """
        entries = self.entries(app)
        for entry in entries:
            if entry.version == version:
                return entry
        known = [entry.version for entry in entries]
        raise NotFoundError(f"{app} has no version {version!r}", hint=nearest(version, known))

    def previous(self, app: str) -> Entry:
        """Return the version that was current before.

        Raises:
            NotFoundError: there is no such app, or no version before the current one.

        """
        entries = self.entries(app)
        for entry in entries:
            if entry.role is Role.PREVIOUS:
                return entry
        raise NotFoundError(
            f"{app} has no version before the current one to roll back to",
            hint=_others(app, [entry.version for entry in entries if entry.role is not Role.CURRENT]),
        )

    def removable(self, app: str, version: str | None) -> tuple[Entry, ...]:
        """Return what goes with *version*, or with the whole app for None.

        Raises:
            NotFoundError: there is no such app or version.
            DeployError: the version is the current one of several.

        """
        entries = self.entries(app)
        if version is None:
            return entries
        entry = self.entry(app, version)
        if entry.role is Role.CURRENT and len(entries) > 1:
            others = ", ".join(other.version for other in entries if other.version != version)
            raise DeployError(
                f"{app} {version} is the current version and cannot be taken away alone",
                hint=f"Activate another one first ({others}), or undeploy the whole app",
            )
        return (entry,)

    def current(self, app: str) -> Entry | None:
        """Return the current version of an app; None where there is none."""
        found = self._registry.entries(app)
        return next((entry for entry in found if entry.role is Role.CURRENT), None)

    def check_name(self, image: AppImage) -> None:
        """Check that the name of the image's version is free, or stands for the same contents.

        Raises:
            DeployError: it stands for others.

        """
        for entry in self._registry.entries(image.app):
            if entry.version == image.version and entry.digest != image.digest:
                raise DeployError(
                    f"{image.app} has a version {image.version!r} already, with other contents "
                    f"(digest {entry.digest[:12]}..., this image: {image.digest[:12]}...)",
                    hint="Give the new one another Version in descriptor.json, or undeploy the old one",
                )

    def check_partitions(self, image: AppImage) -> None:
        """Check that the image has as many partitions as the versions of its app.

        Raises:
            DeployError: it has more or fewer.

        """
        entries = self._registry.entries(image.app)
        decided = any(entry.role is not Role.READY for entry in entries)
        for entry in entries:
            if entry.partitions != image.descriptor.num_parts:
                first = (
                    "undeploy the app" if decided else f"take away what is only beside: {_undeploy(entries)}"
                )
                raise DeployError(
                    f"{image.app} {image.version} has NumParts {image.descriptor.num_parts}, and version "
                    f"{entry.version} is deployed with {entry.partitions}: workspaces would find themselves "
                    "in other partitions than their data",
                    hint=f"Set NumParts to {entry.partitions} in descriptor.json, or first {first}",
                )


def _others(app: str, versions: list[str]) -> str:
    if not versions:
        return "It is the only one that is deployed: deploy the older image again, if that is what is meant"
    return f"What is deployed beside it can be activated by name: statehold activate {app} {versions[0]}"


def _undeploy(entries: Iterable[Entry]) -> str:
    return "; ".join(f"statehold undeploy {entry.app} {entry.version}" for entry in entries)
