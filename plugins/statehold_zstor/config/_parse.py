from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from statehold.sdk import Secret
from statehold_zstor.config._backend import backend_of
from statehold_zstor.config._errors import ConfigError
from statehold_zstor.config._lines import lines_of
from statehold_zstor.config._table import Problems, Table
from statehold_zstor.config._values import Acknowledge, BackendConfig, Config, MetaConfig, MonitorConfig
from statehold_zstor.placement import PlacementError, Rules, Spot, place

_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{1,32}(?<!\.)")
_MIB: Final = 1024 * 1024
#: More than the header of a shard.
_HEADER: Final = 1024
_MOST_SHARDS: Final = 255
_LARGEST_VALUE: Final = 8 * _MIB


def read(path: Path) -> Config:
    """Return what the file says."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", problems=[str(error)]) from error
    return parse(table, Problems(path.absolute().parent, lines_of(text)), str(path))


def parse(data: Mapping[str, Any], problems: Problems, source: str) -> Config:
    """Return what a table says; ConfigError with all that is wrong with it."""
    top = Table(data, "", problems)
    timeout = top.number("timeout", 10.0, least=0.1, most=3600)
    rules = _rules(top)
    groups = _groups(top, timeout)
    meta = _meta(top, timeout)
    acknowledge = _acknowledge(top, rules, meta)
    block_size = top.integer("block_size", _MIB, least=4096, most=64 * _MIB)
    if rules is not None and block_size is not None:
        if block_size // rules.minimal + _HEADER > _LARGEST_VALUE:
            top.add("block_size", f"a shard of a block may have {_LARGEST_VALUE:,} bytes")
        if groups is not None:
            _check_places(top, rules, groups)
    encryption, compression = top.table("encryption", needed=True), top.table("compression")
    key = _key(encryption) if encryption is not None else None
    algorithm = "snappy"
    if compression is not None:
        algorithm = compression.text("algorithm", "snappy", among=("snappy", "zstd", "none"))
        compression.done()
    monitor = _monitor(top)
    files = {
        name: top.file(name)
        for name in ("root", "socket", "pid_file", "zdb_data_dir_path", "zdbfs_mountpoint")
    }
    size = top.optional("max_zdb_data_dir_size", least=1)
    if size is not None and files["zdb_data_dir_path"] is None:
        top.add("max_zdb_data_dir_size", "is of zdb_data_dir_path, which is missing")
    port = top.optional("prometheus_port", most=65535)
    top.done()
    if (
        len(problems)
        or rules is None
        or groups is None
        or meta is None
        or acknowledge is None
        or key is None
        or block_size is None
    ):
        raise ConfigError(
            f"{source} says what cannot be:\n" + "\n".join(f"  {line}" for line in problems.found),
            problems=problems.found,
            hint="docs/zstor.md has all fields",
        )
    return Config(
        minimal_shards=rules.minimal,
        expected_shards=rules.expected,
        redundant_groups=rules.redundant_groups,
        redundant_nodes=rules.redundant_nodes,
        key=key,
        compression=algorithm,
        block_size=block_size,
        groups=groups,
        meta=meta,
        acknowledge=acknowledge,
        monitor=monitor,
        max_zdb_data_dir_size=size * _MIB if size is not None else None,
        prometheus_port=port,
        source=source,
        **files,
    )


def _rules(top: Table) -> Rules | None:
    minimal = top.integer("minimal_shards", least=1, most=_MOST_SHARDS)
    expected = top.integer("expected_shards", least=1, most=_MOST_SHARDS)
    groups, nodes = top.integer("redundant_groups", 0), top.integer("redundant_nodes", 0)
    if minimal is None or expected is None or groups is None or nodes is None:
        return None
    if expected < minimal:
        top.add("expected_shards", f"expected at least minimal_shards, {minimal}, got {expected}")
        return None
    return Rules(minimal=minimal, expected=expected, redundant_groups=groups, redundant_nodes=nodes)


def _groups(top: Table, timeout: float) -> tuple[tuple[BackendConfig, ...], ...] | None:
    before = len(top.problems)
    seen: dict[str, str] = {}
    groups = []
    for group in top.tables("groups"):
        groups.append(_backends(group, timeout, seen))
        group.done()
    return tuple(groups) if len(top.problems) == before else None


def _backends(table: Table, timeout: float, seen: dict[str, str]) -> tuple[BackendConfig, ...]:
    """Return the backends of *table*; *seen* has those that are taken, and where they stand."""
    found = []
    for each in table.tables("backends"):
        made = backend_of(each, timeout)
        if made is None:
            continue
        if made.url in seen:
            field = "url" if each.has("url") else "address"
            each.add(field, f"{made.url} is {seen[made.url]} already: two shards would be lost with it")
        seen.setdefault(made.url, each.path)
        found.append(made)
    return tuple(found)


def _meta(top: Table, timeout: float) -> MetaConfig | None:
    before = len(top.problems)
    meta = top.table("meta", needed=True)
    if meta is None:
        return None
    meta.text("type", "zdb", among=("zdb",))
    config = meta.table("config", needed=True)
    meta.done()
    if config is None:
        return None
    prefix = config.text("prefix", "zstor")
    if not _PREFIX.fullmatch(prefix) or prefix.startswith("."):
        config.add("prefix", f"expected 1 to 32 of A-Z a-z 0-9 . _ -, got {prefix!r}")
    encryption = config.table("encryption", needed=True)
    key = _key(encryption) if encryption is not None else None
    backends = _backends(config, timeout, {})
    count = max(1, len(backends))
    minimal = config.integer("minimal_shards", max(1, count // 2), least=1, most=count)
    config.done()
    if len(top.problems) > before or key is None or minimal is None:
        return None
    return MetaConfig(prefix=prefix, key=key, minimal=minimal, backends=backends)


def _acknowledge(top: Table, rules: Rules | None, meta: MetaConfig | None) -> Acknowledge | None:
    table = top.table("acknowledge")
    if table is None:
        if rules is None or meta is None:
            return None
        return Acknowledge(minimum=rules.expected, metadata=len(meta.backends))
    minimal, expected = (rules.minimal, rules.expected) if rules is not None else (1, _MOST_SHARDS)
    minimum = table.integer("minimum", expected, least=minimal, most=expected)
    quorum, count = (meta.quorum, len(meta.backends)) if meta is not None else (1, _MOST_SHARDS)
    metadata = table.integer("metadata", count, least=quorum, most=count)
    table.done()
    if minimum is None or metadata is None:
        return None
    return Acknowledge(minimum=minimum, metadata=metadata)


def _check_places(top: Table, rules: Rules, groups: tuple[tuple[BackendConfig, ...], ...]) -> None:
    spots = [Spot(name=each.url, group=number) for number, group in enumerate(groups) for each in group]
    if len(spots) < rules.expected:
        top.add("expected_shards", f"there are {len(spots)} backends for {rules.expected} shards")
        return
    try:
        place(rules, spots)
    except PlacementError as error:
        field = "redundant_groups" if top.has("redundant_groups") else "expected_shards"
        top.add(field, error.message)


def _monitor(top: Table) -> MonitorConfig:
    table = top.table("monitor")
    default = MonitorConfig()
    if table is None:
        return default
    year = 365 * 86_400.0
    made = MonitorConfig(
        health=table.number("health", default.health, least=0.1, most=3600),
        repair=table.number("repair", default.repair, least=0.1, most=year),
        scrub=table.number("scrub", default.scrub, least=0, most=year),
        scrub_rate=table.integer("scrub_rate", default.scrub_rate, least=1) or default.scrub_rate,
    )
    table.done()
    return made


def _key(table: Table) -> Secret | None:
    table.text("algorithm", "AES", among=("AES",))
    key = table.secret("key")
    if not table.has("key"):
        table.add("key", "is missing: 64 hex digits")
    elif key is not None and not _KEY.fullmatch(key.reveal()):
        table.add("key", f"expected 64 hex digits, got {len(key.reveal())} characters")
        key = None
    table.done()
    return key
