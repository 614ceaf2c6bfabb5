from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click

from statehold.cli import Output, common, heard_by
from statehold_zstor.commands._common import config_path, opened


@click.command()
@common
def monitor(out: Output) -> None:
    """Watch the backends and keep objects whole, until SIGTERM or Ctrl-C.

    It repairs what lost shards, reads everything now and then to find damage, and reads its configuration
    again when the file changes, or on SIGHUP or SIGUSR1.
    """
    import logging  # noqa: PLC0415  `--help` needs none of it
    import os  # noqa: PLC0415
    import signal  # noqa: PLC0415

    from statehold_zstor.monitor import Monitor  # noqa: PLC0415

    ends = {signal.SIGTERM, signal.SIGINT}
    reloads = {signal.SIGHUP, signal.SIGUSR1}
    # They are waited for, not handled: no handler runs in the middle of something else. Threads inherit it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends | reloads)
    log = logging.getLogger("statehold_zstor")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    try:
        with (
            heard_by(handler, log.name, level=logging.INFO),
            opened() as zstor,
            _pid_file(zstor.world.config.pid_file),
        ):
            watching = Monitor(zstor, source=config_path(), logger=log)
            watching.start()
            try:
                backends = len(zstor.world.lanes)
                port = watching.port
                out.document({"pid": os.getpid(), "backends": backends, "prometheus_port": port})
                shown = f"; metrics on http://127.0.0.1:{port}/metrics" if port is not None else ""
                out.done(f"watches {backends} backends{shown}")
                while signal.sigwait(ends | reloads) in reloads:
                    watching.reload_soon()
            finally:
                watching.stop()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _pid_file(path: Path | None) -> Generator[None]:
    import os  # noqa: PLC0415

    if path is None:
        yield
        return
    mine = f"{os.getpid()}\n"
    path.write_text(mine, encoding="utf-8")
    try:
        yield
    finally:
        # Another monitor of the same configuration may have written its own since.
        with contextlib.suppress(FileNotFoundError):
            if path.read_text(encoding="utf-8") == mine:
                path.unlink()
