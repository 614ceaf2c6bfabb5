from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import click

from statehold.cli import Output, common
from statehold_quota import NAMES, Finding


@click.command("doctor")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--enable", is_flag=True, help="Switch quotas on where a btrfs has none.")
@common
def doctor(out: Output, path: Path, enable: bool) -> None:  # noqa: FBT001  how click passes it
    """Say which quota backend works on the folder PATH, and prove it.

    Each backend is tried: somebody writes over a small limit in a new folder under PATH, and it works only
    if the write was really refused. All that is made is removed again, but for quotas that --enable
    switched on: with simple quotas, kernels before 6.7 cannot mount that btrfs any more.

    The exit code is 1 where no backend enforces limits.
    """
    from statehold_quota import examine, mount_of  # noqa: PLC0415  `--help` needs none of it

    if not path.is_dir():
        raise click.BadParameter(f"{path} is no folder", param_hint="PATH")
    with out.progress("writing over limits"):
        findings = examine(path.resolve(), enable=enable)
    chosen = next(finding for finding in findings if finding.works)
    mount = mount_of(path)
    out.document(
        {
            "path": str(path.resolve()),
            "file_system": mount.kind,
            "mounted_at": str(mount.point),
            "chosen": chosen.backend,
            "enforced": chosen.enforced,
            "backends": [attrs.asdict(finding) for finding in findings],
        },
        ok=chosen.enforced,
    )
    out.line(f"{path.resolve()} lies on {mount.kind}, mounted at {mount.point}")
    out.line()
    for finding in findings:
        for line in _lines(finding, chosen=finding is chosen):
            out.line(line)
    out.line()
    if chosen.enforced:
        out.done(f"limits are enforced here, by {chosen.title}")
    else:
        out.line(click.style("limits are advisory here: nothing is refused", fg="yellow"))
        click.get_current_context().exit(1)


def _lines(finding: Finding, *, chosen: bool) -> list[str]:
    sign, shade = _SIGNS[finding.works, finding.enforced]
    mark = click.style("  <- chosen", bold=True) if chosen else ""
    width = max(map(len, NAMES))
    lines = [f"{click.style(sign, fg=shade)} {finding.backend:<{width}}  {finding.title}{mark}"]
    indent = " " * (width + 4)
    lines += [f"{indent}{text}" for text in (finding.proof, finding.reason) if text]
    if finding.root_too is not None:
        lines.append(f"{indent}root {'is refused as well' if finding.root_too else 'is not refused'}")
    return lines


_SIGNS: Any = {(True, True): ("✓", "green"), (True, False): ("~", "yellow"), (False, False): ("✗", "red")}
