from __future__ import annotations

from pathlib import Path

import click

from statehold.cli import Output, common


@click.command("doctor")
@click.argument("store", type=click.Path(path_type=Path), required=False)
@click.option("--deep", is_flag=True, help="Read every block of the store, too.")
@click.option("--repair", is_flag=True, help="Mend what can be mended.")
@common
def doctor(out: Output, store: Path | None, deep: bool, repair: bool) -> None:  # noqa: FBT001
    """Look for what keeps this machine from mounting, and for what is wrong with STORE.

    STORE is a folder, or the configuration of `serve`. Fails if there is something. A store can only be
    looked at while it is not mounted.
    """
    from statehold.sdk import StateholdError  # noqa: PLC0415  `--help` needs none of it
    from statehold_qsfs.commands._checks import machine, store_checks  # noqa: PLC0415

    found = machine()
    if store is not None:
        found += store_checks(store.resolve(), deep=deep, repair=repair)
    bad = [each for each in found if not each.good]
    out.document(
        {"checks": [{"what": e.what, "good": e.good, "found": e.found, "mend": e.mend} for e in found]},
        ok=not bad,
    )
    for each in found:
        mark = click.style("✓", fg="green") if each.good else click.style("✗", fg="red")
        out.line(f"{mark} {each.what}: {each.found}")
        if each.mend and not each.good:
            out.line(f"    {each.mend}")
    if bad:
        if out.json:
            raise SystemExit(1)
        raise StateholdError(f"{len(bad)} of {len(found)} things are not as they must be")
