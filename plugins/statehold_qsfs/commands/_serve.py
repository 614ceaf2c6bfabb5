from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from statehold.cli import Output, common

if TYPE_CHECKING:
    from statehold_qsfs.mount import Session
    from statehold_qsfs.protection import Figures
    from statehold_qsfs.stack import Stack

#: The seconds between two lines on what still waits, where no terminal shows it.
_TOLD_EVERY: Final = 10.0


@click.command("serve")
@click.argument("config", type=click.Path(path_type=Path))
@common
def serve(out: Output, config: Path) -> None:
    """Mount the files that CONFIG describes, and keep them in its zstor, too.

    SIGTERM and Ctrl-C unmount it, and wait until the backends have everything. A second one does not wait:
    what they lack is sent after the next start.
    """
    from statehold_qsfs.mount import claimed, prepare  # noqa: PLC0415  `--help` needs none of it
    from statehold_qsfs.mount import serve as serve_files  # noqa: PLC0415
    from statehold_qsfs.stack import STEPS, Stack, StackConfig, StackConfigError  # noqa: PLC0415

    described = StackConfig.read(config)
    if described.mount.point is None:
        raise StackConfigError(f"{config}: mount.point: expected a folder, got nothing")
    point, store = described.mount.point.resolve(), described.local.folder.resolve()
    with claimed(store, point) as before, _impatience() as impatient:
        for each in prepare(point, store, before=Path(before.point) if before else None):
            out.warn(f"{each}: a mount whose process was gone was taken away")
        with out.progress(f"starts {STEPS[0]}") as tell:
            stack = Stack(described, told=lambda step: tell(f"{step} has started"))

        def ready(session: Session) -> None:
            if impatient.is_set():  # it came while all this started, and is the first one
                impatient.clear()
                session.stop()
                return
            out.document({"store": str(store), "point": str(point), "pid": os.getpid()})
            out.done(f"{store} is mounted at {point}, by process {os.getpid()}")

        try:
            serve_files(
                stack.files,
                point,
                source=str(store),
                ready=ready,
                parts={"protection": stack.figures},
                pages_every=stack.pages_every,
                again=impatient.set,
            )
        finally:
            _stop(out, stack, impatient)


def _stop(out: Output, stack: Stack, impatient: threading.Event) -> None:
    since = time.monotonic()

    def show(figures: Figures) -> None:
        nonlocal since
        text = waiting(figures)
        tell(text)
        if not sys.stderr.isatty() and time.monotonic() - since >= _TOLD_EVERY:
            since = time.monotonic()
            with suppress(OSError):  # it is sent, whether anybody listens or not
                out.warn(text)

    with out.progress("waits for what was written last") as tell:
        left = stack.stop(show, impatient)
    if left.fenced:
        out.warn(waiting(left))
    elif left.pending_bytes:
        out.warn(f"{waiting(left)}; it is sent after the next start")


def waiting(figures: Figures) -> str:
    """Return what is not in the store yet, in words."""
    if figures.fenced:
        return f"nothing is sent any more: {figures.problem}"
    if not figures.pending_bytes:
        return "; ".join(filter(None, ("everything is in the store", figures.problem)))
    text = (
        f"{size_text(figures.pending_bytes)} of {figures.pending_segments:,} segments wait to be sent, "
        f"for {figures.oldest_seconds:,.0f} s"
    )
    return f"{text}: {figures.problem}" if figures.problem else text


def size_text(number: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1024
    return f"{number:,.1f} TiB"


@contextmanager
def _impatience() -> Iterator[threading.Event]:
    """Yield what SIGTERM and Ctrl-C set while nobody else takes them."""
    event = threading.Event()

    def note(_: int, __: FrameType | None) -> None:
        event.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
