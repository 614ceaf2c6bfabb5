from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from statehold.cli._options import common
from statehold.cli._output import Output
from statehold.cli._text import plural, printable

if TYPE_CHECKING:
    from statehold.trust import TrustStore

R = TypeVar("R")

_OWNER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_ID = re.compile(r"[0-9a-f]{8,32}")
_AGAIN = "What runs goes on until it is activated again, or the host starts again"


@click.group("trust")
def command() -> None:
    """Say whose images a host takes: keys and rules by owner.

    They are in the host's trust store, a file. A host without one takes every image, whoever made it. A host
    with one takes what a key of the image's owner has signed, and of unsigned images what the rules allow.
    """


def _store_command(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options of a trust store, and `(Output, Path)` as its first arguments."""

    @click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(".statehold"),
        envvar="STATEHOLD_DATA",
        show_default=True,
        show_envvar=True,
        help="The host's data folder.",
    )
    @click.option(
        "--trust",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="STATEHOLD_TRUST",
        show_envvar=True,
        help="The trust store.  [default: `trust.json` in the data folder]",
    )
    @common
    @wraps(function)
    def command(out: Output, *args: Any, data: Path, trust: Path | None, **kwargs: Any) -> R:
        return function(out, trust or data / "trust.json", *args, **kwargs)

    return command


@command.command("add")
@click.argument("owner")
@click.argument("key", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--expires", type=click.DateTime(["%Y-%m-%d"]), help="The day from which it brings no new image."
)
@click.option("--comment", default="", help="What the key is for.")
@_store_command
def add(out: Output, store: Path, *, owner: str, key: Path, expires: datetime | None, comment: str) -> None:
    """Trust a KEY (a .pub file) for the images of OWNER.

    The first key makes the store, and from then on the host is strict.
    """
    from statehold.trust import PublicKey, TrustedKey, TrustError, change_store  # noqa: PLC0415

    _check_owner(owner)
    public = PublicKey.load(key)
    until = None if expires is None else expires.replace(tzinfo=UTC).timestamp()

    def change(before: TrustStore) -> TrustStore:
        known = before.keys(owner).get(public.id)
        if known is not None and known.revoked is not None:
            raise TrustError(
                f"key {public.id} was revoked for {owner}, and is not trusted again",
                hint="Make another one: statehold keygen",
            )
        return before.with_key(owner, TrustedKey(public=public, comment=comment, expires=until))

    _make_folder(store)
    change_store(store, change)
    out.document({"store": store, "owner": owner, "key": public.id, "expires": _moment(until)})
    out.done(f"key {public.id} is trusted for {owner}{'' if until is None else f' until {_moment(until)}'}")


@command.command("rule")
@click.argument("owner")
@click.argument("rule", type=click.Choice(["refuse", "isolated"]))
@_store_command
def rule(out: Output, store: Path, *, owner: str, rule: str) -> None:
    """Say what becomes of unsigned images of OWNER, or with '*' of owners without a rule.

    `refuse` takes none. `isolated` takes those that run nothing in the host's process: storages in a sidecar
    or WebAssembly, extensions in WebAssembly.
    """
    from statehold.trust import OwnerTrust, Rule, change_store  # noqa: PLC0415

    if owner != "*":
        _check_owner(owner)

    def change(before: TrustStore) -> TrustStore:
        if owner == "*":
            return attrs.evolve(before, unsigned=Rule(rule))
        trust = before.owners.get(owner, OwnerTrust())
        return before.with_owner(owner, attrs.evolve(trust, unsigned=Rule(rule)))

    _make_folder(store)
    change_store(store, change)
    out.document({"store": store, "owner": owner, "unsigned": rule})
    whose = "owners without a rule" if owner == "*" else owner
    out.done(f"unsigned images of {whose}: {rule}")


@command.command("revoke")
@click.argument("key")
@_store_command
def revoke(out: Output, store: Path, *, key: str) -> None:
    """Revoke a KEY: its id, the first 8 digits of that or more, or its .pub file.

    Nothing is deployed, activated or brought back on its word any more, whoever's it is.
    """
    from statehold.trust import change_store, read_store  # noqa: PLC0415

    read_store(store)
    found = ""
    owners: tuple[str, ...] = ()

    def change(before: TrustStore) -> TrustStore:
        nonlocal found, owners
        found = _find(before, key)
        owners = before.owners_of(found)
        for owner in owners:
            revoked = attrs.evolve(before.keys(owner)[found], revoked=float(int(time.time())))
            before = before.with_key(owner, revoked)
        return before

    change_store(store, change)
    out.document({"store": store, "key": found, "owners": owners})
    out.done(f"key {found} of {', '.join(owners)} is revoked")
    out.line(f"  {_AGAIN}")


@command.command("list")
@_store_command
def list_(out: Output, store: Path) -> None:
    """List owners, their rules and keys."""
    from statehold.trust import read_store  # noqa: PLC0415

    found = read_store(store)
    owners = {
        owner: {
            "unsigned": found.rule(owner).value,
            "keys": [
                {
                    "key": name,
                    "comment": key.comment,
                    "expires": _moment(key.expires),
                    "revoked": _moment(key.revoked),
                }
                for name, key in trust.keys.items()
            ],
        }
        for owner, trust in sorted(found.owners.items())
    }
    out.document({"store": store, "unsigned": found.unsigned.value, "owners": owners})
    if out.json:
        return
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("comment", "owner", "unsigned", "key", "state", box=None, pad_edge=False)
    for owner, trust in sorted(found.owners.items()):
        rows = [(key.comment, name, _state(key.expires, key.revoked)) for name, key in trust.keys.items()]
        for comment, name, state in rows or [("", "", "")]:
            table.add_row(Text(printable(comment)), Text(owner), found.rule(owner).value, name, state)
    table.add_row("", "*", found.unsigned.value, "", "")
    out.table(table)
    count = len({name for trust in found.owners.values() for name in trust.keys})
    out.line(f"\n{plural(count, 'key')} in {store}")


def _find(store: TrustStore, given: str) -> str:
    from statehold.trust import PublicKey  # noqa: PLC0415

    known = {name for trust in store.owners.values() for name in trust.keys}
    if not _ID.fullmatch(given) and Path(given).is_file():
        given = PublicKey.load(Path(given)).id
    if not _ID.fullmatch(given):
        raise click.BadParameter(
            f"{given!r} is no key: expected 8 to 32 hex digits, or a .pub file.", param_hint="KEY"
        )
    found = [name for name in known if name.startswith(given)]
    if len(found) != 1:
        what = f"{len(found)} keys begin with {given}" if found else f"no key {given} is known here"
        raise click.BadParameter(f"{what}. See: statehold trust list.", param_hint="KEY")
    return found[0]


def _check_owner(owner: str) -> None:
    if not _OWNER.fullmatch(owner):
        raise click.BadParameter(
            f"{owner!r} is no owner: expected what stands before the dot of owner.app.", param_hint="OWNER"
        )


def _make_folder(store: Path) -> None:
    # A host makes its data folder for itself alone, too; it may not have run yet.
    if not store.parent.exists():
        store.parent.mkdir(mode=0o700, parents=True)


def _state(expires: float | None, revoked: float | None) -> str:
    if revoked is not None:
        return f"revoked {_day(revoked)}"
    if expires is None:
        return "trusted"
    return f"{'expired' if expires <= time.time() else 'expires'} {_day(expires)}"


def _moment(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")
