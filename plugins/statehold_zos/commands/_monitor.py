from __future__ import annotations

import time
from collections import deque
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Final

import click

from statehold.cli import Output, common, silence
from statehold.sdk import StateholdError
from statehold_zos.commands._common import LOGGER, configuration, described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group
    from rich.live import Live

    from statehold_zos.model import DiskInfo, PoolEvent
    from statehold_zos.node import Node

_SHOWN: Final = 8
_EVERY: Final = 5.0
_COLORS: Final = {"added": "green", "back": "green", "filling": "yellow", "failing": "red", "removed": "red"}


@click.command("monitor")
@click.option("--metrics", type=click.IntRange(0, 65535), help="Show metrics on this port; 0 for any free.")
@common
def monitor(out: Output, metrics: int | None) -> None:
    """Look after the node until SIGTERM or Ctrl-C, and tell what happens to disks and pools.

    On a terminal the pools are shown all the time; else there is a line for each event, with --json a
    document. It restarts servers, deletes what was released, moves what is on failing disks where nothing
    is lost by that, and puts right what killed processes have left. While an app has the node open, its
    host does the same.
    """
    import os  # noqa: PLC0415  `--help` needs none of it
    import signal  # noqa: PLC0415
    import sys  # noqa: PLC0415
    import threading  # noqa: PLC0415

    from statehold_zos.node import Node, serve_metrics  # noqa: PLC0415

    config = configuration()
    # They are waited for, not handled: no handler runs in the middle of something else. Threads inherit it.
    ends = {signal.SIGTERM, signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        with ExitStack() as stack:
            stack.enter_context(silence(LOGGER))
            node = stack.enter_context(Node(config))
            subscription = stack.enter_context(node.watch.monitor())
            node.start()
            serving = nullcontext(None) if metrics is None else serve_metrics(node, metrics)
            port = stack.enter_context(serving)
            out.document({"pid": os.getpid(), "folder": str(config.folder), "metrics": port})
            out.done(
                f"looks after {config.folder}"
                + (f"; metrics on http://127.0.0.1:{port}/metrics" if port is not None else "")
            )
            live = _Live(node) if sys.stdout.isatty() and not out.json else None
            if live is not None:
                stack.enter_context(live.shown())

            def tell() -> None:
                for event in subscription:
                    if live is not None:
                        live.add(event)
                    else:
                        out.document({"event": described(event)})
                        out.line(_line(event))

            telling = threading.Thread(target=tell, name="zos-monitor")
            telling.start()
            try:
                signal.sigwait(ends)
            finally:
                subscription.close()
                telling.join()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Live:
    """The pools and what happened last, always as they are."""

    def __init__(self, node: Node) -> None:
        self._node: Final = node
        self._events: Final[deque[PoolEvent]] = deque(maxlen=_SHOWN)
        self._disks: Sequence[DiskInfo] = ()
        self._looked = 0.0

    def add(self, event: PoolEvent) -> None:
        """Show an event, and look at the disks again."""
        self._events.append(event)
        self._looked = 0.0

    def shown(self) -> Live:
        """Return what shows it, while it is entered."""
        from rich.live import Live  # noqa: PLC0415  where there is a terminal

        return Live(get_renderable=self._now, refresh_per_second=2)

    def _now(self) -> Group:
        from rich.console import Group  # noqa: PLC0415  where there is a terminal
        from rich.text import Text  # noqa: PLC0415

        try:
            return self._seen()
        except (StateholdError, OSError) as error:  # shown again as soon as it can be
            return Group(Text(), Text(str(error), style="red"))

    def _seen(self) -> Group:
        from rich.console import Group, RenderableType  # noqa: PLC0415  where there is a terminal
        from rich.text import Text  # noqa: PLC0415

        from statehold_zos.views import LEGEND, disks_table, pools_table, reasons  # noqa: PLC0415

        node = self._node
        if time.monotonic() - self._looked > _EVERY:
            self._disks, self._looked = node.disks.scan(), time.monotonic()
        pools = node.disks.pools()
        parts: list[RenderableType] = [
            Text(),
            pools_table(pools),
            Text(LEGEND, style="bright_black"),
        ]
        parts += [Text(), disks_table(self._disks), Text()]
        parts += [Text(reason, style="red") for reason in reasons(pools)]
        parts += [
            Text(f"{what}: {', '.join(names)}", style="red") for what, names in node.figures.wrong.items()
        ]
        parts += [
            Text(f"{move.pool}: {move.kind.value} {move.disk}: {move.done:.0%}", style="yellow")
            for move in node.watch.moves()
        ]
        parts += [Text(_line(event), style=_COLORS.get(event.kind.value, "")) for event in self._events]
        return Group(*parts)


def _line(event: PoolEvent) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(event.at))} {event.kind.value}: {event.message}"
