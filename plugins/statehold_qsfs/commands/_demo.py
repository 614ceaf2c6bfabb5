from __future__ import annotations

import click

from statehold.cli import Output, common, orderly

__all__ = ["demo"]


@click.command("demo")
@common
def demo(out: Output) -> None:
    """Show how a filesystem outlives its machine and most of its stores, in a minute.

    On seven 0-dbs of its own, of which any four suffice: three are killed, bits are turned in the shards of
    three, and the machine is wiped; nothing is lost. It works in a temporary folder, ends what it started and
    leaves nothing behind. The exit code is 1 where a step does not do what it says.
    """
    from statehold_qsfs.demo import tell  # noqa: PLC0415  `--help` needs none of it

    with orderly():
        story = tell(quiet=out.json, color=click.get_current_context().color)
    out.line()
    out.line(f"That was all of it, in {story.seconds:.1f} seconds, and nothing of it is left.")
    out.line("docs/qsfs.md says how to make a filesystem of your own.")
    out.document({"seconds": round(story.seconds, 2), "steps": story.steps})
