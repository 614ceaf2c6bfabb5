from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from statehold.cli._hosts import HostOptions, host_command
from statehold.cli._output import Output
from statehold.cli._text import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLORS = {"current": "green", "beside": "cyan", "canary": "cyan", "failed": "red"}


@click.command("apps")
@click.option("--to", "url", metavar="URL", help="Ask the server that runs there on this data folder.")
@host_command
def command(out: Output, options: HostOptions, *, url: str | None) -> None:
    """List the deployed apps and their versions, and what of them does not run as it should.

    A server says more: which versions it has open, and in how many partitions each answers.
    """
    from statehold.cli._sending import Server  # noqa: PLC0415

    found = _found_here(out, options) if url is None else Server(url=url, data=options.data).apps()
    apps = found["apps"]
    out.document({"data": options.data, "apps": apps, "lacking": found["lacking"]})
    where = f"in {options.data}" if url is None else f"at {url}"
    if not apps:
        out.line(f"No apps {where}. Deploy one: statehold deploy IMAGE{'' if url is None else ' --to URL'}")
        return
    _table(out, apps, is_server=url is not None)
    out.line()
    out.line(f"{plural(len(apps), 'app')} {where}")
    for app in apps:
        if app["draining"]:
            out.line(f"{app['app']}: not freed yet: {', '.join(map(printable, app['draining']))}")
        for text in _warnings(app):
            out.warn(text)
    for part in found["lacking"]:
        out.warn(
            f"this machine lacks a part of the sandbox that sidecars are shut in with: {printable(part)}"
        )


def _found_here(out: Output, options: HostOptions) -> dict[str, Any]:
    with options.open(out, apps=(), by_http="statehold apps --to URL") as host:
        return host.listing()


def _table(out: Output, apps: list[dict[str, Any]], *, is_server: bool) -> None:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    answers = ["answers"] if is_server else []
    columns = ["app", "version", "state", *answers, "partitions", "deployed", "digest", "apart"]
    table = Table(*columns, box=None, pad_edge=False)
    for app in apps:
        versions = sorted(app["versions"], key=lambda one: one["state"] != "current")
        for index, version in enumerate(versions):
            state = version["state"]
            table.add_row(
                Text(app["app"] if index == 0 else "", style="bold"),
                Text(version["version"]),
                Text(f"{state}, open" if _is_spare(version) else state, style=_COLORS.get(state, "dim")),
                *([str(version["answers"])] if is_server else []),
                str(version["partitions"]),
                datetime.fromtimestamp(version["deployed_at"], UTC).strftime("%Y-%m-%d %H:%M"),
                version["digest"][:12],
                Text(", ".join(_apart(version))),
            )
    out.table(table)


def _is_spare(version: dict[str, Any]) -> bool:
    return version["open"] and version["state"] in ("previous", "kept")


def _apart(version: dict[str, Any]) -> Iterator[str]:
    """Yield the storages that do not run in the host's own process."""
    places: dict[str, list[str]] = {}
    for storage, place in version["isolation"].items():
        if place != "inprocess":
            places.setdefault(place, []).append(storage)
    for place, storages in sorted(places.items()):
        yield f"{place}: {' '.join(storages)}"


def _warnings(app: dict[str, Any]) -> Iterator[str]:
    for version in app["versions"]:
        if version["problem"]:
            yield f"{app['app']} {version['version']} does not run: {printable(version['problem'])}"
    for one in app["survivors"]:
        name = printable(f"{one['distribution']} {one['version']}")
        if one["quarantined"]:
            yield (
                f"{app['app']}: in quarantine, since it leaks when it is freed: {name}. Details: "
                "statehold quarantine list"
            )
        else:
            yield (
                f"{app['app']}: {name} did not die when it was freed, {plural(one['frees'], 'time')} in a "
                f"row; still there: {printable(one['why'])}"
            )
