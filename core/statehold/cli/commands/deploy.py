from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statehold.cli._canary import canary_options
from statehold.cli._deploying import deploy_here, report
from statehold.cli._hosts import HostOptions, host_command
from statehold.cli._output import Output

if TYPE_CHECKING:
    from statehold.hosting import Canary


@click.command("deploy")
@click.argument("image", type=click.Path(exists=True, path_type=Path))
@click.option("--beside", is_flag=True, help="Open it beside the current version, without making it current.")
@click.option(
    "--accept-breaking", is_flag=True, help="Deploy it though its declarations break what there is."
)
@click.option("--to", "url", metavar="URL", help="Send it to the server that runs there on this data folder.")
@canary_options
@host_command
def command(
    out: Output,
    options: HostOptions,
    *,
    image: Path,
    beside: bool,
    accept_breaking: bool,
    url: str | None,
    canary: Canary | None,
) -> None:
    """Deploy an IMAGE and make it current, in one step.

    IMAGE is a .shi file or an application's folder. It is verified and compiled, and its storages are
    opened, before it becomes current; whatever goes wrong, the version that runs goes on. Declarations that
    break stored data, clients or the operator are refused: see `statehold diff`.
    """
    from statehold.cli._sending import Server  # noqa: PLC0415
    from statehold.images import open_image  # noqa: PLC0415

    if beside and canary is not None:
        raise click.UsageError("--beside makes nothing current: --canary has no use with it.")
    with open_image(image) as opened:
        app = opened.app
    more: dict[str, Any] = {"beside": beside, "accept_breaking": accept_breaking, "canary": canary}
    with out.progress(f"deploying {app}" if url is None else f"deploying {app} to {url}") as show:

        def tell(_stage: str, text: str, _figures: object) -> None:
            show(text)

        if url is None:
            document = deploy_here(out, options, image, app, tell=tell, **more)
        else:
            server = Server(url=url, data=options.data, app=app)
            document = server.deploy(image, tell=tell, **more)
    out.document(document)
    report(out, document, beside=beside)
