"""Writes docs/cli.md out of the command line's own help: `python tests/docs/cli_page.py > docs/cli.md`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from statehold.cli._group import cli

_SPACE = ("id", "path", "size", "type", "pool", "used", "state", "owner", "name", "limits")
_NAMESPACE = (
    *("id", "disk_type", "size", "mode", "port", "host", "socket", "pool", "used", "state", "owner"),
    "name",
)

DOCUMENTS = {
    "new plugin": ("folder", "files"),
    "new app": ("folder", "files"),
    "stubs": ("files", "stale", "problems"),
    "check": ("errors", "warnings", "files", "diagnostics", "problems"),
    "build": ("path", "app", "version", "digest", "files", "size"),
    "conformance": ("isolations", "storages"),
    "inspect": (
        *("app", "version", "digest", "packed", "size", "descriptor", "packages", "files"),
        *("signatures", "problem"),
    ),
    "verify": ("image", "problems", "app", "version", "digest", "files", "keys", "trusted"),
    "diff": ("old", "new", "breaking", "changes"),
    "keygen": ("key", "private", "public"),
    "sign": ("image", "digest", "key", "keys"),
    "trust add": ("store", "owner", "key", "expires"),
    "trust rule": ("store", "owner", "unsigned"),
    "trust revoke": ("store", "key", "owners"),
    "trust list": ("store", "unsigned", "owners"),
    "deploy": ("app", "version", "digest", "state", "partitions", "warnings"),
    "upgrade": ("app", "version", "digest", "state", "partitions", "warnings"),
    "apps": ("data", "apps", "lacking"),
    "matrix": ("app", "version", "storages"),
    "call": ("app", "storage", "operation", "scope", "rows", "more"),
    "activate": ("app", "current"),
    "rollback": ("app", "current"),
    "undeploy": ("app", "version"),
    "quarantine list": ("data", "quarantine"),
    "quarantine lift": ("data", "lifted"),
    "serve": ("url", "apps"),
    "exec": ("app", "name", "wsid", "kind", "offset", "new_ids", "result", "problem", "results"),
    "token": ("token", "app", "expires"),
    "workspace make": ("app", "wsid", "kind", "name"),
    "workspace list": ("app", "workspaces"),
    "storages": ("storages",),
    "demo": ("seconds", "steps"),
    "completion": ("shell", "script"),
    "aos cloud push": ("connected", "checksum"),
    "aos cloud reject": ("reject", "larger_than"),
    "aos cloud accept": ("reject", "larger_than"),
    "aos cloud list": ("reject", "larger_than", "units"),
    "aos demo": ("seconds", "steps"),
    "aos doctor": ("path", "file_system", "mounted_at", "chosen", "enforced", "backends"),
    "aos migrate": ("schema", "steps"),
    "aos services": ("services",),
    "qsfs demo": ("seconds", "steps"),
    "qsfs doctor": ("checks",),
    "qsfs mount": ("store", "point", "pid"),
    "qsfs restore": ("folder", "taken", "namespaces", "segments", "evicted", "brought_bytes", "epoch"),
    "qsfs serve": ("store", "point", "pid"),
    "qsfs snapshot": ("snapshots",),
    "qsfs status": ("mounts",),
    "qsfs umount": ("unmounted",),
    "zdb serve": ("ports", "socket", "pid"),
    "zos demo": ("seconds", "limits", "steps"),
    "zos freeze": _NAMESPACE,
    "zos monitor": ("pid", "folder", "metrics"),
    "zos namespaces": ("namespaces",),
    "zos plan": ("policy", "new", "pools", "disks", "left"),
    "zos pools": ("pools", "types", "sru", "hru"),
    "zos prepare": ("pools",),
    "zos release": ("released", "grace"),
    "zos reserve": _SPACE,
    "zos resize": _SPACE,
    "zos spaces": ("spaces",),
    "zos wipe": ("pool", "disks"),
    "zstor check": (
        *("key", "generation", "size", "checksum", "stored", "metadata", "data_shards", "shards"),
        *("backends", "missing"),
    ),
    "zstor delete": ("key",),
    "zstor list": ("objects",),
    "zstor monitor": ("pid", "backends", "prometheus_port"),
    "zstor rebuild": ("objects", "failed"),
    "zstor retrieve": (
        *("path", "key", "generation", "size", "checksum", "stored", "metadata", "data_shards", "shards"),
        *("backends", "missing"),
    ),
    "zstor status": ("backends", "objects", "tickets", "endangered", "garbage"),
    "zstor store": ("stored",),
    "zstor test": ("shards", "missing", "seconds"),
    "zstor verify": ("objects",),
}

_HEAD = (
    """\
# Command line

*Which commands and options are there?*

This page is what `--help` says. `python -m statehold` is the same as `statehold`.

For machines, every command takes `--json` and writes one document, and nothing else on stdout; `upgrade`
writes one in a line for each step before it, and `aos cloud serve` and `zos monitor` one for each event:

- `{"ok": true, ...}` with what it found; for `check`, `verify`, `diff`, `storages` and `aos doctor` with
  `"ok": false` too;
- `{"ok": false, "error": {"type": ..., "message": ..., "hint": ...}}` where it could not do its work.

Bytes are `{"base64": "..."}`, floats that JSON has no word for `{"float": "nan"}`.

Exit codes: 0 done, 1 errors found, 2 wrong usage, 130 interrupted.

| command | beside `ok`, its document has |
|---|---|
"""
    + "".join(f"| `{name}` | {', '.join(f'`{key}`' for key in keys)} |\n" for name, keys in DOCUMENTS.items())
    + """
`NO_COLOR` takes the colours away, `FORCE_COLOR` keeps them in a pipe.
"""
)


def page() -> str:
    """Return the text of docs/cli.md."""
    return _HEAD + "".join(_section(path, command) for path, command in _commands("statehold", cli))


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from _commands(f"{path} {name}", found)


def _section(path: str, command: click.Command) -> str:
    context = click.Context(
        command,
        info_name=path,
        terminal_width=100,
        max_content_width=100,
        help_option_names=["-h", "--help"],
    )
    return f"\n## {path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"


if __name__ == "__main__":
    print(page(), end="")
