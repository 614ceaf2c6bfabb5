from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import click

from statehold.cli import silence

if TYPE_CHECKING:
    from statehold_zos.model import Config, Policy
    from statehold_zos.node import Node

F = TypeVar("F", bound=Callable[..., Any])

CONFIG: Final = "statehold_zos.config"
#: What it says is not to be written beside what a command does.
LOGGER: Final = "statehold_zos"
TYPES: Final = ("ssd", "hdd")
RAIDS: Final = ("single", "raid0", "raid1", "raid10")


def configuration() -> Config:
    """Return the configuration that was named."""
    from statehold_zos.config import read_config  # noqa: PLC0415  `--help` needs none of it

    path: Path = click.get_current_context().meta[CONFIG]
    return read_config(path)


@contextmanager
def opened(*, up: bool = True) -> Generator[Node]:
    """Open the node of the configuration that was named; with *up* its pools are mounted."""
    from statehold_zos.node import Node  # noqa: PLC0415  `--help` needs none of it

    with silence(LOGGER), Node(configuration()) as node:
        if up:
            node.bring_up()
        yield node


def policy_options(function: F) -> F:
    """Give a command the options that say how pools are made, instead of the configuration."""
    for option in (
        click.option("--mixed-sizes", is_flag=True, default=None, help="Unlike disks may share a pool."),
        click.option("--type", "types", type=click.Choice(TYPES), multiple=True, help="Of these disks only."),
        click.option("--pools", type=click.IntRange(min=0), help="How many pools at most; 0 for any number."),
        click.option("--disks", type=click.IntRange(min=1), help="How many disks a pool gets."),
        click.option("--raid", type=click.Choice(RAIDS), help="How a pool spreads what it holds."),
    ):
        function = option(function)
    return function


def policy_of(
    base: Policy,
    *,
    raid: str | None,
    disks: int | None,
    pools: int | None,
    types: tuple[str, ...],
    mixed_sizes: bool | None,
) -> Policy:
    """Return the policy of the configuration with what the options say."""
    from statehold_zos.model import DiskType, Raid  # noqa: PLC0415  `--help` needs none of it

    level = Raid(raid) if raid is not None else base.raid
    return attrs.evolve(
        base,
        raid=level,
        disks=disks if disks is not None else max(base.disks, level.least),
        pools=pools if pools is not None else base.pools,
        types=tuple(map(DiskType, types)) or base.types,
        mixed_sizes=mixed_sizes if mixed_sizes is not None else base.mixed_sizes,
    )


def described(value: Any) -> dict[str, Any]:
    """Return a value of the model for machines."""
    made: dict[str, Any] = _plain(attrs.asdict(value, value_serializer=lambda _, __, held: _plain(held)))
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(held) for key, held in value.items()}
    return value
