from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from statehold.cli._findings import show_diagnostics
from statehold.cli._hosts import HostOptions
from statehold.cli._output import Output
from statehold.cli._steps import Tell
from statehold.cli._text import plural
from statehold_vsql import Severity

if TYPE_CHECKING:
    from statehold.hosting import Canary, Host


def deploy_here(
    out: Output, options: HostOptions, image: Path, app: str, *, tell: Tell, **how: Any
) -> dict[str, Any]:
    """Deploy an image to the host of a data folder, *how* `_deploy` does it; return what is to be told.

    Raises:
        StateholdError: it cannot be deployed.

    """
    from statehold.sdk import CompileError, StateholdError  # noqa: PLC0415

    with options.open(out, apps=[app]) as host:
        try:
            return _deploy(host, image, app, tell, **how)
        except CompileError as error:
            if out.json:
                raise
            from statehold.cli._sources import read_image  # noqa: PLC0415

            show_diagnostics(error.diagnostics, read_image(image).sources, err=True, columns=out.width)
            count = sum(found.severity is Severity.ERROR for found in error.diagnostics)
            raise StateholdError(
                f"{app} cannot be deployed: its declarations have {plural(count, 'error')}"
            ) from error


def _deploy(
    host: Host,
    image: Path,
    app: str,
    tell: Tell,
    *,
    beside: bool = False,
    accept_breaking: bool = False,
    canary: Canary | None = None,
) -> dict[str, Any]:
    def progress(step: Any) -> None:
        tell(step.stage, str(step), step.figures)

    with host.following(app, progress):
        version = host.deploy(
            image, activate=not beside, accept_breaking=accept_breaking, canary=canary, progress=progress
        )
    return {
        "app": version.app,
        "version": version.name,
        "digest": version.digest,
        "state": version.state.value,
        "partitions": len(version.partitions),
        "warnings": version.warnings,
    }


def report(out: Output, document: dict[str, Any], *, beside: bool = False) -> None:
    """Say for a person what has been deployed."""
    for warning in document["warnings"]:
        out.warn(warning)
    where = "beside the current version" if beside else "current"
    count = plural(document["partitions"], "partition")
    out.done(f"{document['app']} {document['version']} is {where}, {count}")
