from __future__ import annotations

import click

from statehold.cli import Output, common, orderly


@click.command("demo")
@click.option("--plain", is_flag=True, help="On folders, also where disks could be mounted.")
@common
def demo(out: Output, plain: bool) -> None:  # noqa: FBT001
    """Show what becomes of four disks, in half a minute.

    Pools are made of them, folders and a 0-db namespace are reserved to the last byte and filled, a disk is
    pulled and comes back, and all is wiped. As root the disks are image files with btrfs on loop devices,
    else they are folders. It works in a temporary folder, ends what it started and leaves nothing behind;
    what one that was killed has left is cleared up by the next one.
    The exit code is 1 where a step does not do what it says.
    """
    from statehold_zos.demo import tell  # noqa: PLC0415  `--help` needs none of it

    with orderly():
        story = tell(quiet=out.json, color=click.get_current_context().color, plain=plain)
    out.line()
    out.line(f"That was all of it, in {story.seconds:.1f} seconds, and nothing of it is left.")
    out.line("docs/zos.md says how to prepare disks of your own.")
    out.document({"seconds": round(story.seconds, 2), "limits": story.limits, "steps": story.steps})
