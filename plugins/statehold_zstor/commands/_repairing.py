from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statehold.cli import Output, common
from statehold.sdk import StateholdError
from statehold_zstor.commands._common import bar, chosen, counted, one_or_all, opened, protection

if TYPE_CHECKING:
    from statehold_zstor.objects import Repair, Verdict, Zstor


@click.command()
@one_or_all
@common
@click.pass_context
def rebuild(
    context: click.Context,
    out: Output,
    file: Path | None,
    key: str | None,
    everything: bool,  # noqa: FBT001  how click passes them
) -> None:
    """Make lost and damaged shards anew, and bring those elsewhere that are in the wrong place.

    What is on backends that do not answer counts as lost.
    """
    done: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []

    def fail(name: str, error: StateholdError) -> None:
        failed.append({"key": name, "error": error.message})
        out.warn(error.message)

    with opened() as zstor:
        for name in chosen(zstor, file, key, everything=everything, failed=fail):
            try:
                repair = _rebuild(out, zstor, name)
            except StateholdError as error:
                if not everything:
                    raise
                if not _is_gone(error):
                    fail(name, error)
            else:
                done.append({"key": name, "repaired": dict(repair.repaired), "moved": dict(repair.moved)})
                _tell_repair(out, name, repair)
    out.document({"objects": done, "failed": failed}, ok=not failed)
    if everything:
        out.line(f"{counted(len(done), 'object')} whole{f', {len(failed)} not' if failed else ''}")
    context.exit(int(bool(failed)))


@click.command()
@one_or_all
@click.option("--repair", is_flag=True, help="Repair what is lost or damaged, as `rebuild` does.")
@common
@click.pass_context
def verify(  # noqa: PLR0917  how click passes them
    context: click.Context,
    out: Output,
    file: Path | None,
    key: str | None,
    everything: bool,  # noqa: FBT001
    repair: bool,  # noqa: FBT001
) -> None:
    """Read every shard of objects and say which are lost or damaged, and where.

    It ends with 1 where something is, and is not repaired.
    """
    found: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    harmed = count = 0

    def fail(name: str, error: StateholdError) -> None:
        nonlocal harmed, count
        count, harmed = count + 1, harmed + 1
        failed.append({"key": name, "error": error.message})
        out.warn(error.message)

    with opened() as zstor:
        for name in chosen(zstor, file, key, everything=everything, failed=fail):
            try:
                verdict = _verify(out, zstor, name)
            except StateholdError as error:
                if not everything:
                    raise
                if not _is_gone(error):
                    fail(name, error)
                continue
            count += 1
            found.append(_verdict(verdict))
            _tell_verdict(out, verdict)
            if verdict.whole:
                continue
            harmed += 1
            if repair and verdict.readable:
                try:
                    _tell_repair(out, name, _rebuild(out, zstor, name))
                except StateholdError as error:
                    out.warn(error.message)
                else:
                    harmed -= 1
                    found[-1]["repaired"] = True
    out.document({"objects": found, "failed": failed}, ok=not harmed)
    if everything:
        needs = f"{harmed or 'none'} need{'' if harmed > 1 else 's'} a repair"
        out.line(f"{counted(count, 'object')} read, {needs}")
    context.exit(int(bool(harmed)))


def _is_gone(error: StateholdError) -> bool:
    """Whether an object was deleted while all were gone through."""
    from statehold_zstor.objects import ObjectNotFoundError  # noqa: PLC0415  `--help` needs none of it

    return isinstance(error, ObjectNotFoundError)


def _verify(out: Output, zstor: Zstor, key: str) -> Verdict:
    found = zstor.check(key)
    with bar(out, key, found.size if found is not None else None) as progress:
        return zstor.verify(key, progress=progress)


def _rebuild(out: Output, zstor: Zstor, key: str) -> Repair:
    found = zstor.check(key)
    with bar(out, key, found.size if found is not None else None) as progress:
        return zstor.rebuild(key, progress=progress)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "key": verdict.info.key,
        "readable": verdict.readable,
        "whole": verdict.whole,
        "bad": [
            {"shard": bad.shard, "backend": bad.backend, "blocks": bad.blocks, "reason": bad.reason}
            for bad in verdict.bad
        ],
    }


def _tell_verdict(out: Output, verdict: Verdict) -> None:
    info = verdict.info
    if verdict.whole:
        out.done(f"{info.key}: every shard is sound; {protection(info)}")
        return
    word = "can be read" if verdict.readable else "CANNOT BE READ"
    mark = click.style("✗", fg="yellow" if verdict.readable else "red")
    out.line(f"{mark} {info.key}: {word}; {info.shards - len(verdict.bad)} of {info.shards} shards are sound")
    for bad in verdict.bad:
        blocks = counted(bad.blocks, "block")
        out.line(f"    shard {bad.shard} on {bad.backend or 'no backend'}: {blocks}: {bad.reason}")


def _tell_repair(out: Output, key: str, repair: Repair) -> None:
    if not repair.repaired and not repair.moved:
        out.done(f"{key}: nothing to repair; {protection(repair.info)}")
        return
    out.done(f"{key}: repaired; {protection(repair.info)}")
    for word, shards in (("made anew on", repair.repaired), ("moved to", repair.moved)):
        for shard, backend in sorted(shards.items()):
            out.line(f"    shard {shard} {word} {backend}")
