from __future__ import annotations

import base64
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statehold.cli import Output, common

if TYPE_CHECKING:
    from statehold_aos.gateway import Happened

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_data = click.option(
    "--data", type=_FOLDER, default="aos-cloud", show_default=True, help="The folder that it runs in."
)
_SHADES = {
    "connected": "green",
    "disconnected": "yellow",
    "accepted": "green",
    "rejected": "red",
    "new": "cyan",
    "sent": "blue",
}
_EPILOG = """\b
Example:
  statehold aos cloud serve --make-certificates certificates --reject zoom=9 &
  statehold aos cloud push unit-1 nav '["ann"]' state.dat
  statehold aos cloud list
"""


@click.group("cloud", epilog=_EPILOG)
def cloud() -> None:
    """Run a small cloud for states, to develop against; and tell one that runs what to do."""


@cloud.command("serve")
@_data
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8443, show_default=True, help="0: a free one.")
@click.option(
    "--make-certificates",
    "made",
    type=_FOLDER,
    help="Use TLS, with certificates that are made in this folder unless they are there.",
)
@click.option("--certificate", type=_FILE, help="Use TLS, with this certificate and those above it, in PEM.")
@click.option("--key", type=_FILE, help="Its key, if that is not in the same file.")
@click.option("--units-from", type=_FILE, help="Let in only units with a certificate of this authority.")
@click.option("--amqp", "broker", default="", metavar="URL", help="Serve a broker of AMQP, too.")
@click.option("--unit", "units", multiple=True, help="A unit whose queue is made at the broker at once.")
@click.option(
    "--reject", "pattern", default="", metavar="REGEX", help="Reject states in which this is found."
)
@click.option("--larger-than", type=click.IntRange(min=0), help="Reject states of more bytes.")
@click.option("--default", "default", type=_FILE, help="The state of claims that have none yet.")
@click.option("--workspace", type=int, default=1, show_default=True, help="That of units which name none.")
@common
def serve(out: Output, **given: Any) -> None:
    """Run a cloud that keeps states in a folder, and show what happens until it is ended.

    Units connect over WebSocket; without TLS, only from this machine. With --json each event is a line of
    JSON, the first one with the URL.
    """
    from statehold_aos._cloud._running import Running, Settings  # noqa: PLC0415  `--help` needs none of it

    default: Path | None = given["default"]
    settings = Settings(
        folder=given["data"],
        host=given["host"],
        port=given["port"],
        context=_context(out, given),
        broker=given["broker"],
        units=given["units"],
        workspace=given["workspace"],
        default=None if default is None else default.read_bytes(),
        rule=_rule(given["pattern"], given["larger_than"]),
    )
    show = _shown_as_json if out.json else _shown_to_people(out)
    running = Running(settings, show)
    try:
        with _until_ended() as ended:
            if out.json:
                click.echo(json.dumps({"event": "listening", "url": running.url}))
            else:
                out.done(f"listening at {running.url}; Ctrl-C ends it")
            ended.wait()
    finally:
        running.close()


@cloud.command("push")
@click.argument("unit")
@click.argument("service")
@click.argument("users")
@click.argument("state", type=click.File("rb"))
@click.option("--workspace", type=int, help="The claim's workspace.")
@_data
@common
def push(out: Output, data: Path, state: Any, **claim: Any) -> None:
    """Give the claim of SERVICE and USERS of a UNIT the STATE of a file; `-` is standard input."""
    text = base64.b64encode(state.read()).decode()
    answer = _ask(data, {"do": "push", "state": text, **claim})
    out.document(answer)
    waits = "" if answer["connected"] else ", once it is connected"
    whose = f"{claim['service']!r} of {claim['users']!r}"
    out.done(f"{claim['unit']} gets the state {answer['checksum'][:12]} for {whose}{waits}")


@cloud.command("reject")
@click.argument("pattern", default="", metavar="[REGEX]")
@click.option("--larger-than", type=click.IntRange(min=0), help="Reject states of more bytes.")
@_data
@common
def reject(out: Output, data: Path, pattern: str, larger_than: int | None) -> None:
    """Reject states from now on in which REGEX is found, or that are larger."""
    _rule(pattern, larger_than)
    out.document(_ask(data, {"do": "reject", "pattern": pattern, "larger_than": larger_than}))
    out.done("such states are rejected from now on")


@cloud.command("accept")
@_data
@common
def accept(out: Output, data: Path) -> None:
    """Accept all states from now on."""
    out.document(_ask(data, {"do": "accept"}))
    out.done("all states are accepted from now on")


@cloud.command("list")
@_data
@common
def list_units(out: Output, data: Path) -> None:
    """List the units, and the states of their claims."""
    from rich.table import Table  # noqa: PLC0415  `--help` needs none of it

    answer = _ask(data, {"do": "list"})
    out.document(answer)
    table = Table("service", "users", "unit", "bytes", "state", "")
    for unit in answer["units"]:
        for claim in unit["claims"]:
            table.add_row(
                claim["service"],
                claim["users"],
                f"{unit['unit']}{'' if unit['connected'] else ' (away)'}",
                f"{claim['bytes']:,}",
                claim["checksum"][:12],
                "not there yet" if claim["waiting"] else "",
            )
    out.table(table)


def _context(out: Output, given: dict[str, Any]) -> Any:
    from statehold_aos.gateway._address import is_this_machine  # noqa: PLC0415  `--help` needs none of it
    from statehold_aos.gateway.websocket import server_context  # noqa: PLC0415  likewise

    made, certificate, key = given["made"], given["certificate"], given["key"]
    if made is not None and certificate is not None:
        raise click.UsageError("--make-certificates and --certificate are one too many")
    if made is not None:
        from statehold_aos._cloud._certificates import make_certificates  # noqa: PLC0415  likewise

        found = make_certificates(made, (given["host"],))
        out.line(f"units trust {found.authority}; one may show {found.unit}")
        return server_context(found.cloud, None, given["units_from"])
    if certificate is not None:
        return server_context(certificate, key, given["units_from"])
    if given["units_from"] is not None or key is not None:
        raise click.UsageError("--key and --units-from need --certificate")
    if not is_this_machine(given["host"]):
        raise click.UsageError(f"--host {given['host']} needs TLS: --make-certificates or --certificate")
    return None


def _rule(pattern: str, largest: int | None) -> Any:
    from statehold_aos._cloud._rule import Rule  # noqa: PLC0415  `--help` needs none of it

    return Rule(pattern, largest)


def _ask(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    from statehold_aos._cloud._control import ask  # noqa: PLC0415  `--help` needs none of it

    return ask(folder, order)


def _shown_as_json(event: Happened) -> None:
    said: dict[str, Any] = {"event": event.what, "at": round(event.at, 3), "unit": event.system}
    if event.claim is not None:
        said |= event.claim._asdict()
    if event.checksum:
        said["checksum"] = event.checksum.hex()
    if event.what in ("new", "sent"):
        said["bytes"] = event.size
    if event.detail:
        said["detail"] = event.detail
    click.echo(json.dumps(said))


def _shown_to_people(out: Output) -> Callable[[Happened], None]:
    def show(event: Happened) -> None:
        moment = time.strftime("%H:%M:%S", time.localtime(event.at))
        what = click.style(f"{event.what:<12}", fg=_SHADES.get(event.what))
        whose = "" if event.claim is None else f"  {event.claim.service!r} of {event.claim.users!r}"
        size = f"  {event.size:,} bytes" if event.what in ("new", "sent") else ""
        state = f"  {event.checksum.hex()[:12]}" if event.checksum else ""
        detail = f"  {event.detail!r}" if event.detail else ""
        out.line(f"{moment}  {what}  {event.system!r}{whose}{state}{size}{detail}")

    return show


@contextmanager
def _until_ended() -> Iterator[threading.Event]:
    """Yield what is set once Ctrl-C or SIGTERM comes."""
    ended = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
