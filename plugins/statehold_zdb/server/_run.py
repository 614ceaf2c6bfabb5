from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from statehold_zdb.engine import Engine, EngineOptions
from statehold_zdb.server._executable import Executable
from statehold_zdb.server._server import Server, ServerOptions

_FREED: Final = 16 * 1024 * 1024


def run(
    data: Path,
    index: Path,
    *,
    options: EngineOptions,
    server_options: ServerOptions,
    hook: Path | None = None,
    logger: logging.Logger | None = None,
    on_ready: Callable[[Server], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT; all is closed when it returns.

    Args:
        data: as of `Engine`.
        index: as of `Engine`.
        options: of the engine.
        server_options: where it listens.
        hook: a program that is told of each event.
        logger: where it tells what an operator should know.
        on_ready: called once it listens.

    """
    import uvloop  # noqa: PLC0415 - only a server needs it

    # From now on glibc keeps so much, twice, of what is freed. Else what held a large payload goes back to
    # the kernel after each, and comes page by page for the next, which takes as long as to read and send it.
    bytes(_FREED)
    executable = Executable(hook, _instance(server_options)) if hook is not None else None
    plugins = [executable] if executable is not None else []
    with Engine(data, index, options=options, plugins=plugins, logger=logger) as engine:

        async def serve() -> None:
            server = Server(engine, server_options, executable=executable, logger=logger)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, server.stop_soon)
            await server.start()
            on_ready(server)
            try:
                await server.serve()
            finally:
                await server.stop()

        try:
            uvloop.run(serve())
        except Exception:
            engine.hooks.zdb_crash()
            raise
        # What is being closed is closed to its end; whoever cannot wait sends SIGKILL, which loses nothing.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _instance(options: ServerOptions) -> str:
    if options.socket is not None:
        return f"unix://{options.socket}"
    host, port = options.addresses[0]
    return f"tcp://{host}:{port}"
