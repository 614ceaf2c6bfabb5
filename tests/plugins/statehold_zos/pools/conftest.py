from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from zos_pools import KINDS, POOL, Land, Node, backend_of, folders_node, ground_of

_NUMBERS = count()


@pytest.fixture(scope="module", params=KINDS)
def ground(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """Each kind of pools, and where they lie, for all tests of a module."""
    with ground_of(request.param, tmp_path_factory.mktemp(request.param)) as path:
        yield request.param, path


@pytest.fixture(scope="module", params=["simple", "qgroup"])
def btrfs_ground(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """A btrfs for all tests of a module, with each kind of quotas."""
    with ground_of(request.param, tmp_path_factory.mktemp(request.param)) as path:
        yield request.param, path


@pytest.fixture
def node(ground: tuple[str, Path], tmp_path: Path) -> Iterator[Node]:
    """A node with one pool, of each kind."""
    yield from _node(ground, tmp_path)


@pytest.fixture
def btrfs_node(btrfs_ground: tuple[str, Path], tmp_path: Path) -> Iterator[Node]:
    """A node with one pool of btrfs."""
    yield from _node(btrfs_ground, tmp_path)


@pytest.fixture
def in_folders(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """A function that makes a node with plain folders as pools."""
    made: list[Node] = []

    def make(**options: Any) -> Node:
        made.append(folders_node(tmp_path, **options))
        return made[-1]

    yield make
    for node in made:
        node.ledger.close()


def _node(ground: tuple[str, Path], tmp_path: Path) -> Iterator[Node]:
    kind, place = ground
    node = Node(tmp_path / "node", Land())
    root = place / f"pool{next(_NUMBERS)}"
    root.mkdir()
    node.add(POOL, root, backend_of(kind, root))
    yield node
    for name in node.pools._site(POOL).claims():
        node.pools._site(POOL).remove(name)
    node.ledger.close()
