from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from statehold.cli import Output
from statehold.sdk import StateholdError

if TYPE_CHECKING:
    from statehold_zstor.objects import ObjectInfo, Zstor

F = TypeVar("F", bound=Callable[..., Any])

CONFIG: Final = "statehold_zstor.config"

file_option = click.option(
    "-f", "--file", type=click.Path(path_type=Path), help="The file that was stored, by its path."
)
key_option = click.option("-k", "--key", help="The object, by its key, as `list` shows it.")


def one_or_all(function: F) -> F:
    """Give a command `--file`, `--key` and `--all`, of which one is to be given."""
    every = click.option("--all", "everything", is_flag=True, help="All objects.")
    return file_option(key_option(every(function)))


@contextmanager
def opened() -> Generator[Zstor]:
    """Open the zstor of the configuration that was named."""
    from statehold_zstor.objects import Zstor  # noqa: PLC0415  `--help` needs none of it

    with Zstor(config_path()) as zstor:
        yield zstor


def config_path() -> Path:
    """Return the file of the configuration."""
    found: Path = click.get_current_context().meta[CONFIG]
    return found


def key_of_file(zstor: Zstor, path: Path) -> str:
    """Return the key of a file."""
    from statehold_zstor.objects import key_of  # noqa: PLC0415

    return key_of(path, zstor.world.config.root)


def chosen(
    zstor: Zstor,
    file: Path | None,
    key: str | None,
    *,
    everything: bool = False,
    failed: Callable[[str, StateholdError], None] | None = None,
) -> Iterator[str]:
    """Return the keys of what was named; click.UsageError where nothing was, or too much.

    Of all objects, *failed* is told of those whose metadata cannot be read: where they are kept, and why.
    """
    if (file is not None) + (key is not None) + everything != 1:
        names = "--file, --key" + (" or --all" if "everything" in click.get_current_context().params else "")
        raise click.UsageError(f"expected one of {names}")
    if file is not None:
        return iter([key_of_file(zstor, file)])
    if key is not None:
        return iter([key])
    return (info.key for info in zstor.list(failed=failed))


@contextmanager
def bar(out: Output, text: str, total: int | None) -> Generator[Callable[[int], None]]:
    """Show a bar on stderr while the block runs, on a terminal only; it is told of bytes."""
    import sys  # noqa: PLC0415

    if out.json or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415  a tenth of a second, for those who see it
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(text, total=total)
        yield lambda count: progress.advance(task, count)


def described(info: ObjectInfo) -> dict[str, Any]:
    """Return an object for machines."""
    return {
        "key": info.key,
        "generation": info.generation,
        "size": info.size,
        "checksum": f"{info.checksum:08x}",
        "stored": info.stored,
        "metadata": dict(info.metadata),
        "data_shards": info.data_shards,
        "shards": info.shards,
        "backends": list(info.backends),
        "missing": list(info.missing),
    }


def size_text(size: float | None) -> str:
    """Return a number of bytes as people read it."""
    if size is None:
        return ""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def counted(number: int, what: str) -> str:
    """Return a number of things."""
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def protection(info: ObjectInfo) -> str:
    """Return what may be lost of an object, in words."""
    there = info.shards - len(info.missing)
    spare = there - info.data_shards
    text = f"{there} shards, any {info.data_shards} suffice"
    if info.missing:
        lost = ", ".join(map(str, info.missing))
        text += f"; {'shard' if len(info.missing) == 1 else 'shards'} {lost} missing until a repair"
    return text if spare > 0 or info.shards == info.data_shards else f"{text}; none may be lost"
