from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from statehold_quota import Backend
from statehold_zos.disks._devices import Device
from statehold_zos.disks._plan import Plan
from statehold_zos.disks._records import PoolRecord
from statehold_zos.ledger import Ledger
from statehold_zos.model import Config, DiskInfo, DiskStats, Policy, PoolInfo


class DiskModule:
    """Makes pools of the disks that the configuration allows; threads and processes take turns."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger

    @property
    def node(self) -> str:
        """The id of this node, made when it is first asked for; pools carry it."""
        raise NotImplementedError

    @property
    def devices(self) -> Mapping[str, Device]:
        """The disks that are allowed, by name, whether they are there or not."""
        raise NotImplementedError

    def scan(self) -> tuple[DiskInfo, ...]:
        """Look at all disks that are allowed; changes nothing, and attaches no image."""
        raise NotImplementedError

    def plan(self, policy: Policy | None = None) -> Plan:
        """Say what `prepare` would do, and which tokens it and `wipe` want; changes nothing."""
        raise NotImplementedError

    def prepare(self, policy: Policy | None = None, *, tokens: Collection[str] = ()) -> list[PoolInfo]:
        """Make the pools of a plan whose tokens are given; return all pools, also those that failed.

        What was begun and not finished is finished, with or without a token. A disk that fails does not keep
        the other pools from being made: its pool is `FAILING`, with the reason. Folders need no token.

        Args:
            policy: how pools are made; None for that of the configuration.
            tokens: of `plan`, with the same policy.

        Raises:
            RefusedError: a token is of no pool that would be made: look at the plan again. Nothing was done.
            ZosError: no pool could be made, and there is none.

        """
        raise NotImplementedError

    def start(self) -> list[PoolInfo]:
        """Attach, prove and mount the pools of this node, also after a restart of the machine; return all.

        What was begun and not finished (making, wiping) is left to `prepare` and `wipe`. A pool of the node
        that the ledger has forgotten is taken up again. What cannot be mounted is `GONE`, with the reason.
        """
        raise NotImplementedError

    def mount(self, pool_id: str) -> PoolInfo:
        """Mount one pool, degraded where a disk lacks and nothing is lost without; that it is is no error.

        Raises:
            NotFoundError: there is no such pool.
            ZosError: it cannot be mounted; the ledger has it as `GONE` then.

        """
        raise NotImplementedError

    def unmount(self, pool_id: str) -> None:
        """Unmount a pool and let its loop devices go; ZosError where it is in use."""
        raise NotImplementedError

    def pools(self) -> list[PoolInfo]:
        """Return all pools of the node, by id, with what they hold."""
        raise NotImplementedError

    def pool(self, pool_id: str) -> PoolInfo:
        """Return one pool. Raises NotFoundError."""
        raise NotImplementedError

    def record(self, pool_id: str) -> PoolRecord:
        """Return what is kept about a pool. Raises NotFoundError."""
        raise NotImplementedError

    def records(self) -> Sequence[PoolRecord]:
        """Return what is kept about all pools."""
        raise NotImplementedError

    def backend(self, pool_id: str) -> Backend:
        """Return how limits are kept on a mounted pool, after a probe was really refused a write over one.

        Raises:
            NotFoundError: there is no such pool.
            ZosError: it is not mounted.

        """
        raise NotImplementedError

    def change_disks(self, pool_id: str, disks: Sequence[str]) -> PoolRecord:
        """Keep that a pool is on other disks now, and how much it holds with them; it is mounted."""
        raise NotImplementedError

    def mark(self, disk: str, reason: str) -> None:
        """Keep that a disk must not be relied on; its pool takes no reservations. "" takes the mark away."""
        raise NotImplementedError

    def wipe(self, pool_id: str, *, token: str) -> None:
        """Give the disks of a pool back: all signatures go, and all there was. Finishes one that was begun.

        Raises:
            NotFoundError: there is no such pool.
            RefusedError: something is reserved on it, or the token is not that of `plan` now; nothing was
                changed.

        """
        raise NotImplementedError

    def stats(self) -> DiskStats:
        """Return exact totals by type, and the resource units that follow from them."""
        raise NotImplementedError
