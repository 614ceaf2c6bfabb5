from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statehold.cli._canary import canary_options
from statehold.cli._deploying import deploy_here, report
from statehold.cli._hosts import HostOptions, host_command
from statehold.cli._output import Output, error_document
from statehold.cli._steps import steps, write_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statehold.hosting import Canary

_EPILOG = """\b
Example:
  statehold upgrade acme.bills-2.shi --canary 10% --to http://127.0.0.1:8080
"""


@click.command("upgrade", epilog=_EPILOG)
@click.argument("image", type=click.Path(exists=True, path_type=Path))
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
    accept_breaking: bool,
    url: str | None,
    canary: Canary | None,
) -> None:
    """Deploy an IMAGE as `deploy` does, and show each step.

    Ctrl-C before it is current leaves the version that runs. With --json each step is a document in a line of
    its own, and the last line is the document of `deploy`. docs/upgrade.md says what each step guarantees.
    """
    from statehold.cli._sending import Server  # noqa: PLC0415
    from statehold.images import open_image  # noqa: PLC0415
    from statehold.sdk import StateholdError  # noqa: PLC0415

    more: dict[str, Any] = {"accept_breaking": accept_breaking, "canary": canary}
    seen: set[str] = set()
    try:
        with open_image(image) as opened:
            app = opened.app
        with steps(out, lines=True) as show:

            def tell(stage: str, text: str, figures: Mapping[str, Any]) -> None:
                seen.add(stage)
                show(stage, text, figures)

            if url is None:
                document = deploy_here(out, options, image, app, tell=tell, **more)
            else:
                server = Server(url=url, data=options.data, app=app)
                document = server.deploy(image, tell=tell, **more)
    except (StateholdError, OSError) as error:
        if not out.json:
            raise
        write_line({"ok": False, "error": error_document(error)})
        click.get_current_context().exit(1)
    except KeyboardInterrupt:
        said = _interrupted(made="make" in seen, url=url)
        if out.json:
            write_line({"ok": False, "error": {"type": "Interrupted", "message": said, "hint": ""}})
        else:
            click.echo(said, err=True)
        click.get_current_context().exit(130)
    if out.json:
        write_line({"ok": True, **document})
    else:
        report(out, document)


def _interrupted(*, made: bool, url: str | None) -> str:
    if made:
        return "interrupted: the new version may be current. `statehold apps` says what is"
    return f"interrupted: the version before goes on{', once the server has noticed' if url else ''}"
