from __future__ import annotations

import time
from pathlib import Path

import attrs
import click

from statehold.cli import Output, common


@click.command("restore")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--everything", is_flag=True, help="Bring all files now, not when they are read first.")
@common
def restore(out: Output, config: Path, everything: bool) -> None:  # noqa: FBT001  how click passes it
    """Bring the files that CONFIG describes back from its zstor.

    Its folder must be empty. All is there that had been sent. A machine that still uses the same zstor may
    not write to it any more.
    """
    from statehold_qsfs.stack import StackConfig, restore_stack  # noqa: PLC0415  `--help` needs none of it

    described = StackConfig.read(config)
    with out.progress("looks for what there was") as tell:
        restored = restore_stack(
            described,
            everything=everything,
            progress=lambda done, of: tell(f"{done:,} of {of:,} segments are done"),
        )
    out.document({"folder": str(described.local.folder), **attrs.asdict(restored)})
    taken = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(restored.taken))
    out.done(f"{described.local.folder} is as it was at {taken}: {restored.segments:,} segments")
    if restored.evicted:
        out.line(f"{restored.evicted:,} of them come when they are read")
