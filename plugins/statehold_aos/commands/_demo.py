from __future__ import annotations

import click

from statehold.cli import Output, common, orderly

__all__ = ["demo"]


@click.command("demo")
@common
def demo(out: Output) -> None:
    """Show the life of two services in a vehicle, in half a minute.

    They are installed, write states that go to a cloud on this machine, are rejected, lose the way to the
    cloud, are updated, change users and hit their limit. It works in a temporary folder and leaves nothing
    behind. The exit code is 1 where a step does not do what it says.
    """
    from statehold_aos.demo import tell  # noqa: PLC0415  `--help` needs none of it

    with orderly():
        story = tell(quiet=out.json, color=click.get_current_context().color)
    out.line()
    out.line(f"That was all of it, in {story.seconds:.1f} seconds, and nothing of it is left. Its source is")
    out.line("app_images/aos.fleet; docs/aos.md says how to run services of your own.")
    out.document({"seconds": round(story.seconds, 2), "steps": story.steps})
