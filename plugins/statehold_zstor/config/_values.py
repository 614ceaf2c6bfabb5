from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import attrs

from statehold.sdk import Secret
from statehold_zstor.config._table import Problems
from statehold_zstor.placement import Rules


class BackendKind(StrEnum):
    """What speaks behind the URL of a backend."""

    ZDB = "zdb"
    S3 = "s3"
    FOLDER = "file"


def quorum_of(count: int, minimal: int) -> int:
    """Return the least size at which any two sets of *count* backends share *minimal*, and at least one."""
    return max(count // 2 + 1, -(-(count + minimal) // 2))


@attrs.frozen(kw_only=True)
class BackendConfig:
    """Where a backend is, and how one gets in.

    Attributes:
        url: `zdb://host:port/namespace`, `zdb+unix:///path?namespace=name`, `s3://bucket/prefix` or
            `file:///folder`, without secrets; its name in metadata, messages and metrics.
        password: of the namespace of a 0-db.
        endpoint: of an object store that is not Amazon's, `https://host:port`.
        region: of an object store.
        access_key: of an object store.
        secret_key: of an object store.
        limit: the most bytes that it may have; a 0-db knows its own.
        timeout: the seconds that one call may take.

    """

    url: str
    password: Secret | None = None
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: Secret | None = None
    secret_key: Secret | None = None
    limit: int | None = None
    timeout: float = 10.0

    @property
    def kind(self) -> BackendKind:
        """What it is."""
        return BackendKind(self.url.partition(":")[0].partition("+")[0])


@attrs.frozen(kw_only=True)
class MetaConfig:
    """Where metadata are, and how many backends suffice to read them.

    Attributes:
        prefix: what the keys begin with; several zstors may share backends, each with its own.
        key: 64 hex digits: what metadata are encrypted with.
        minimal: how many of the backends suffice to read: half of them, unless told otherwise.
        backends: in order.

    """

    prefix: str
    key: Secret
    minimal: int
    backends: tuple[BackendConfig, ...]

    @property
    def quorum(self) -> int:
        """How many of the backends have to take a write: any two such sets have `minimal` in common."""
        return quorum_of(len(self.backends), self.minimal)


@attrs.frozen(kw_only=True)
class Acknowledge:
    """What a write must have reached to be acknowledged; what is missing is repaired later.

    Attributes:
        minimum: how many shards.
        metadata: how many backends of the metadata.

    """

    minimum: int
    metadata: int


@attrs.frozen(kw_only=True)
class MonitorConfig:
    """How often the monitor does what.

    Attributes:
        health: the seconds between two looks at the backends.
        repair: the seconds between two looks at all metadata.
        scrub: the seconds in which every shard is read once; 0 for never.
        scrub_rate: the most bytes that scrubbing reads in a second.

    """

    health: float = 3.0
    repair: float = 600.0
    scrub: float = 7 * 86_400.0
    scrub_rate: int = 16 * 1024 * 1024


@attrs.frozen(kw_only=True)
class Config:
    """What a zstor is made of.

    Attributes:
        minimal_shards: how many shards suffice to read an object.
        expected_shards: how many each object has.
        redundant_groups: how many whole groups may be lost, and
        redundant_nodes: how many backends of each other group with them.
        key: 64 hex digits: what the keys of objects are derived from.
        compression: `snappy`, `zstd` or `none`.
        block_size: the bytes of an object that are encoded together.
        groups: the backends, by group.
        meta: where metadata are.
        acknowledge: what a write must have reached.
        monitor: how often the monitor does what.
        root: what is cut off from the paths of files to get their keys.
        socket: where the monitor listens for what it is asked.
        pid_file: where the monitor writes its process id.
        zdb_data_dir_path: a folder of files that the monitor deletes, those used longest ago first, if it
        max_zdb_data_dir_size: has more bytes than these, and they are stored.
        zdbfs_mountpoint: where a filesystem is mounted whose figures the monitor shows.
        prometheus_port: on which the monitor shows its figures, on loopback.
        source: what it was read from.

    """

    minimal_shards: int
    expected_shards: int
    redundant_groups: int
    redundant_nodes: int
    key: Secret
    compression: str
    block_size: int
    groups: tuple[tuple[BackendConfig, ...], ...]
    meta: MetaConfig
    acknowledge: Acknowledge
    monitor: MonitorConfig = MonitorConfig()
    root: Path | None = None
    socket: Path | None = None
    pid_file: Path | None = None
    zdb_data_dir_path: Path | None = None
    max_zdb_data_dir_size: int | None = None
    zdbfs_mountpoint: Path | None = None
    prometheus_port: int | None = None
    source: str = "the configuration"

    @property
    def rules(self) -> Rules:
        """How shards must be spread."""
        return Rules(
            minimal=self.minimal_shards,
            expected=self.expected_shards,
            redundant_groups=self.redundant_groups,
            redundant_nodes=self.redundant_nodes,
        )

    @classmethod
    def read(cls, path: Path) -> Config:
        """Return what the file says; paths in it are relative to its folder.

        Raises:
            ConfigError: it cannot be read, or says what cannot be; with all that was found.

        """
        from statehold_zstor.config._parse import read  # noqa: PLC0415 - it makes what this is

        return read(path)

    @classmethod
    def of(cls, table: Mapping[str, Any], *, folder: Path, source: str = "the configuration") -> Config:
        """Return what a table says; paths in it are relative to *folder*. Raises as `read`."""
        from statehold_zstor.config._parse import parse  # noqa: PLC0415 - it makes what this is

        return parse(table, Problems(folder), source)
