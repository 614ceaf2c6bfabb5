from __future__ import annotations

import attrs
import click

from statehold.cli import Output, common


@click.command("migrate")
@click.argument("location")
@click.option("--to", type=int, help="The schema to bring it to; 1 is the Service Manager's own. [newest]")
@click.option(
    "--workspace", type=int, default=1, show_default=True, help="Where a Service Manager's rows go."
)
@common
def migrate(out: Output, location: str, to: int | None, workspace: int) -> None:
    """Bring the database LOCATION to another schema, forward or back.

    LOCATION is a file, or postgresql://user@host/database, whose password may be in PGPASSWORD. Before each
    step the database is copied, and the copy named; each step happens as a whole or not at all.
    """
    from statehold_aos.database import CURRENT, Options, migrate  # noqa: PLC0415  they bring SQLAlchemy

    to = CURRENT if to is None else to
    with out.progress("migrating"):
        steps = migrate(location, to=to, options=Options(workspace=workspace))
    out.document({"schema": to, "steps": [attrs.asdict(step) for step in steps]})
    for step in steps:
        if step.before:
            out.line(f"schema {step.before} became {step.after}; before, it was copied to {step.backup}")
    out.done(f"the database has schema {to}")
