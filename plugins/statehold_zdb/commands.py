"""The command `statehold zdb`."""

from __future__ import annotations

from pathlib import Path

import click

from statehold.cli import Output, common

__all__ = ["command"]

_PORT = click.IntRange(0, 65_535)
_SIZE, _SECONDS, _PART = click.IntRange(0), click.FloatRange(0), click.FloatRange(0, 1)


@click.group("zdb")
def command() -> None:
    """0-db: an append-only key-value store."""


@command.command("serve")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="The folder of the data.")
@click.option(
    "--index", type=click.Path(path_type=Path), required=True, help="The folder of the index; another one."
)
@click.option("--mode", type=click.Choice(["user", "seq"]), help="The mode of all namespaces. [each its own]")
@click.option("--datasize", type=int, help="The bytes of a segment. [268435456]")
@click.option("--listen", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=_PORT, default=9900, show_default=True, help="The port; 0 for any that is free.")
@click.option("--socket", type=click.Path(path_type=Path), help="A UNIX socket to listen on, instead of TCP.")
@click.option("--dualnet", is_flag=True, help="Listen on the UNIX socket and on TCP.")
@click.option("--hook", type=click.Path(path_type=Path, exists=True), help="A program to tell of each event.")
@click.option("--admin", envvar="ZDB_ADMIN", help="The administrators' password. [all are; $ZDB_ADMIN]")
@click.option("--maxsize", type=_SIZE, default=0, help="The most payload bytes of the namespace default.")
@click.option("--protect", is_flag=True, help="Let the namespace default only be read without --admin.")
@click.option("--durability", default="group", show_default=True, help="every, group, or relaxed:SECONDS.")
@click.option("--sync", is_flag=True, help="The same as --durability every.")
@click.option("--synctime", type=float, help="The same as --durability relaxed:SECONDS.")
@click.option("--rotate", type=_SECONDS, default=0.0, help="The seconds after which a segment is closed.")
@click.option("--compact", type=_PART, default=0.0, help="Compact segments of which this part is not needed.")
@click.option("--fetch-limit", type=_SECONDS, default=30.0, show_default=True, help="How long a read waits.")
@click.option("--read-only", is_flag=True, help="Write nothing at all: for media that cannot be written.")
@click.option("--cache", type=_SIZE, default=32 * 1024 * 1024, help="The bytes of answers kept in memory.")
@click.option("--busy-poll", type=_SIZE, default=100, show_default=True, help="Microseconds; 0 for never.")
@click.option("--stoppable", is_flag=True, help="Let the command STOP end the server.")
@click.option("--hide", is_flag=True, help="Tell the names of namespaces to administrators only.")
@common
def serve(  # noqa: PLR0917  how click passes them
    out: Output,
    data: Path,
    index: Path,
    mode: str | None,
    datasize: int | None,
    listen: str,
    port: int,
    socket: Path | None,
    dualnet: bool,  # noqa: FBT001
    hook: Path | None,
    admin: str | None,
    maxsize: int,
    protect: bool,  # noqa: FBT001
    durability: str,
    sync: bool,  # noqa: FBT001
    synctime: float | None,
    rotate: float,
    compact: float,
    fetch_limit: float,
    read_only: bool,  # noqa: FBT001
    cache: int,
    busy_poll: int,
    stoppable: bool,  # noqa: FBT001
    hide: bool,  # noqa: FBT001
) -> None:
    """Serve namespaces to clients of 0-db, until SIGTERM or Ctrl-C.

    Options that 0-db has mean the same. Without --socket it listens on TCP.
    """
    import os  # noqa: PLC0415  `--help` needs none of it

    from statehold_zdb.engine import DEFAULT_SEGMENT as DEFAULT  # noqa: PLC0415
    from statehold_zdb.engine import Durability, EngineOptions, Mode, Sync  # noqa: PLC0415
    from statehold_zdb.server import Server, ServerOptions, run  # noqa: PLC0415

    if protect and admin is None:
        raise click.UsageError("--protect needs --admin")
    if sync:
        chosen = Durability(Sync.EVERY)
    elif synctime is not None:
        chosen = Durability(Sync.RELAXED, synctime)
    else:
        chosen = Durability.parse(durability)

    def ready(server: Server) -> None:
        places = [f"{listen}:{each}" for each in server.ports] + ([str(socket)] if socket else [])
        out.document({"ports": server.ports, "socket": str(socket) if socket else None, "pid": os.getpid()})
        out.done(f"listens on {', '.join(places)}; durability {chosen}")

    run(
        data,
        index,
        options=EngineOptions(
            mode=Mode(mode) if mode else None,
            segment_size=datasize or DEFAULT,
            durability=chosen,
            default_maxsize=maxsize,
            rotate=rotate,
            compact_at=compact,
            fetch_limit=fetch_limit,
            read_only=read_only,
        ),
        server_options=ServerOptions(
            addresses=((listen, port),) if socket is None or dualnet else (),
            socket=socket,
            admin_password=os.fsencode(admin) if admin is not None else None,
            protect=protect,
            cache=cache,
            busy_poll=busy_poll / 1_000_000,
            stoppable=stoppable,
            hide=hide,
        ),
        hook=hook,
        on_ready=ready,
    )
