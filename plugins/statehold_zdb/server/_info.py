from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from statehold_zdb.engine import Engine, Mode, Namespace

if TYPE_CHECKING:
    from statehold_zdb.server._server import Server

_MIB: Final = 1024 * 1024


def server_info(server: Server) -> str:
    """Return what INFO answers: what the original says, and further sections of ours."""
    now = time.time()
    counts = server.counts
    lines = [
        "# server",
        "server_name: 0-db (zdb)",
        f"server_revision: statehold-{server.version}",
        f"instance_id: {server.instance_id}",
        f"boot_time: {int(server.started)}",
        f"uptime: {int(now - server.started)}",
        "",
        "# clients",
        f"clients_lifetime: {counts.clients}",
        f"clients_connected: {len(server.connections)}",
        "",
        "# internals",
        "sequential_key_size: 8",
        "data_version: 3",
        "index_version: 4",
        "",
        "# stats",
        f"commands_executed: {counts.commands}",
        f"commands_failed: {counts.failed}",
        f"commands_unauthorized: {counts.unauthorized}",
        f"index_disk_read_failed: {sum(n.read_errors for n in server.engine)}",
        f"index_disk_write_failed: {sum(n.write_errors for n in server.engine)}",
        f"data_disk_read_failed: {sum(n.read_errors for n in server.engine)}",
        f"data_disk_write_failed: {sum(n.write_errors for n in server.engine)}",
        *_sizes("network_rx", counts.received),
        *_sizes("network_tx", counts.sent),
        "",
        "# durability",
    ]
    for namespace in server.engine:
        unsynced, seconds = namespace.unsynced
        lines.append(
            f"{namespace.name}: mode={namespace.durability} unsynced_records={unsynced} "
            f"unsynced_seconds={seconds:.3f} failed={'yes' if namespace.failed else 'no'}"
        )
    return "\n".join(lines) + "\n"


def namespace_info(engine: Engine, namespace: Namespace, *, admin: bool) -> str:
    """Return what NSINFO answers: the lines of the original, by its names, and then ours."""
    figures, settings = namespace.figures(), namespace.settings
    swapped = int.from_bytes((figures.next_id & 0xFFFFFFFF).to_bytes(4, "little"), "big")
    lines = [
        "# namespace",
        f"name: {settings.name}",
        f"entries: {figures.entries}",
        f"public: {_yes(settings.public)}",
        f"worm: {_yes(settings.worm)}",
        f"locked: {_yes(settings.lock or settings.freeze)}",
        f"frozen: {_yes(settings.freeze)}",
        f"password: {_yes(bool(settings.password))}",
        f"data_size_bytes: {figures.live_bytes}",
        f"data_size_mb: {figures.live_bytes / _MIB:.2f}",
        f"data_limits_bytes: {settings.maxsize}",
        f"index_size_bytes: {figures.index_bytes}",
        f"index_size_kb: {figures.index_bytes / 1024:.2f}",
        f"next_internal_id: 0x{swapped:08x}",
        f"mode: {'userkey' if settings.mode is Mode.USER else 'sequential'}",
        f"stats_index_io_errors: {namespace.write_errors}",
        f"stats_index_io_error_last: {namespace.last_error_at}",
        "stats_index_faults: 0",
        f"stats_data_io_errors: {namespace.read_errors + namespace.write_errors}",
        f"stats_data_io_error_last: {namespace.last_error_at}",
        f"stats_data_faults: {int(bool(figures.broken))}",
    ]
    if settings.maxsize:
        lines.append(f"space_available: {max(settings.maxsize - figures.live_bytes, 0)}")
    for name, folder in (("index", engine.index), ("data", engine.data)):
        disk = os.statvfs(folder)
        free = disk.f_frsize * disk.f_bavail
        lines += [f"{name}_disk_freespace_bytes: {free}", f"{name}_disk_freespace_mb: {free / _MIB:.2f}"]
    lines += [
        f"data_disk_bytes: {figures.data_bytes}",
        f"data_segments: {figures.segments}",
        f"data_segments_missing: {figures.missing}",
        f"durability: {namespace.durability}",
        f"unsynced_records: {figures.unsynced}",
        f"unsynced_seconds: {figures.unsynced_seconds:.3f}",
        f"failed: {figures.broken or 'no'}",
    ]
    if admin:
        lines += [
            f"data_path: {engine.data / settings.name}",
            f"data_active: {figures.active_data}",
            f"index_path: {engine.index / settings.name}",
            f"index_active: {figures.active_index}",
            f"data_current_id: {figures.active}",
            f"data_current_offset: {figures.active_offset}",
        ]
    return "\n".join(lines) + "\n"


def _sizes(name: str, count: int) -> tuple[str, str]:
    return f"{name}_bytes: {count}", f"{name}_mb: {count / _MIB:.2f}"


def _yes(value: bool) -> str:  # noqa: FBT001
    return "yes" if value else "no"
