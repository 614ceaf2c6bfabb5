from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from statehold.cli._findings import show_diagnostics
from statehold.cli._hosts import HostOptions, host_command
from statehold.cli._output import Output
from statehold.cli._text import plural
from statehold_vsql import Severity


@click.command("deploy")
@click.argument("image", type=click.Path(exists=True, path_type=Path))
@click.option("--beside", is_flag=True, help="Open it beside the current version, without making it current.")
@click.option(
    "--accept-breaking", is_flag=True, help="Deploy it though its declarations break what there is."
)
@click.option("--to", "url", metavar="URL", help="Send it to the server that runs there on this data folder.")
@host_command
def command(
    out: Output, options: HostOptions, *, image: Path, beside: bool, accept_breaking: bool, url: str | None
) -> None:
    """Deploy an IMAGE and make it current, in one step.

    IMAGE is a .shi file or an application's folder. It is verified and compiled, and its storages are
    opened, before it becomes current; whatever goes wrong, the version that runs goes on. Declarations that
    break stored data, clients or the operator are refused: see `statehold diff`.
    """
    from statehold.cli._sending import send_image  # noqa: PLC0415
    from statehold.cli._sources import read_image  # noqa: PLC0415
    from statehold.images import open_image  # noqa: PLC0415
    from statehold.sdk import CompileError, StateholdError  # noqa: PLC0415

    with open_image(image) as opened:
        app = opened.app
    if url is not None:
        with out.progress(f"deploying {app} to {url}"):
            document = send_image(
                image, app, url, data=options.data, beside=beside, accept_breaking=accept_breaking
            )
        _report(out, document, beside=beside)
        return
    with options.open(out, apps=[app]) as host:
        try:
            with out.progress(f"deploying {app}") as tell:
                version = host.deploy(
                    image, activate=not beside, accept_breaking=accept_breaking, progress=tell
                )
        except CompileError as error:
            if out.json:
                raise
            show_diagnostics(error.diagnostics, read_image(image).sources, err=True, columns=out.width)
            count = sum(found.severity is Severity.ERROR for found in error.diagnostics)
            raise StateholdError(
                f"{app} cannot be deployed: its declarations have {plural(count, 'error')}"
            ) from error
        document = {
            "app": version.app,
            "version": version.name,
            "digest": version.digest,
            "state": version.state.value,
            "partitions": len(version.partitions),
            "warnings": version.warnings,
        }
    _report(out, document, beside=beside)


def _report(out: Output, document: dict[str, Any], *, beside: bool) -> None:
    out.document(document)
    for warning in document["warnings"]:
        out.warn(warning)
    where = "beside the current version" if beside else "current"
    count = plural(document["partitions"], "partition")
    out.done(f"{document['app']} {document['version']} is {where}, {count}")
