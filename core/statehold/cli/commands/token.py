from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._principals import principal_of

_APP = re.compile(r"\*|[A-Za-z][\w-]*\.[A-Za-z][\w-]*")

_EPILOG = """\b
Example:
  curl -H "Authorization: Bearer $(statehold token acme.bills --role bills.Waiter)" \\
      http://127.0.0.1:8080/api/v2/apps/acme/bills/schemas/openapi.json
"""


@click.command("token", epilog=_EPILOG)
@click.argument("app")
@click.option(
    "--role", "roles", multiple=True, metavar="ROLE", help="package.Role, or package.Role@WORKSPACE."
)
@click.option("--name", default="operator", show_default=True, help="The login of the user, or the device.")
@click.option("--device", is_flag=True, help="It is a device, not a user.")
@click.option("--profile", type=click.IntRange(min=0), default=0, help="The workspace of the user's own.")
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="How long it lasts.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".statehold"),
    envvar="STATEHOLD_DATA",
    show_default=True,
    show_envvar=True,
    help="The host's data folder, with the key that signs.",
)
@common
def command(
    out: Output,
    *,
    app: str,
    roles: tuple[str, ...],
    name: str,
    device: bool,
    profile: int,
    hours: float,
    data: Path,
) -> None:
    """Issue a bearer token for APP, or with '*' for every app.

    Without roles it says who somebody is, and nothing more. sys.ClusterAdmin deploys and makes workspaces,
    sys.System may do everything. The host may run meanwhile.
    """
    from statehold.serving import Tokens  # noqa: PLC0415

    if not _APP.fullmatch(app):
        raise click.BadParameter(f"{app!r} is no app: expected owner.app, or '*'.", param_hint="APP")
    principal = principal_of(roles, name=name, device=device, profile=profile)
    token = Tokens.open(data).issue(principal, app=app, lifetime=hours * 3600)
    until = datetime.now(UTC) + timedelta(hours=hours)
    out.document({"token": token, "app": app, "expires": until.isoformat(timespec="seconds")})
    out.line(token)
