"""The commands, in the order in which the original looks for them.

It compares as many letters as the client sent, so that `GE` is GET, `M` is MIRROR and an empty one is `*`.
"""

from __future__ import annotations

from typing import Final

from statehold_zdb.server._client import Handler
from statehold_zdb.server.commands import _admin, _data, _namespaces, _scans, _swap, _system

__all__ = ["COMMANDS", "find"]

COMMANDS: Final[dict[str, Handler]] = {
    "*": _system.asterisk,
    "WAIT": _system.wait,
    "MIRROR": _admin.mirror,
    "MASTER": _admin.master,
    "PING": _system.ping,
    "TIME": _system.time,
    "AUTH": _system.auth,
    "HOOKS": _admin.hooks,
    "INDEX": _admin.index,
    "DATA": _admin.data,
    "SET": _data.set_,
    "SETX": _data.set_,
    "GET": _data.get,
    "MGET": _data.mget,
    "DEL": _data.delete,
    "EXISTS": _data.exists,
    "CHECK": _data.check,
    "SCAN": _scans.scan,
    "SCANX": _scans.scan,
    "RSCAN": _scans.rscan,
    "KSCAN": _scans.kscan,
    "HISTORY": _scans.history,
    "KEYCUR": _scans.keycur,
    "LENGTH": _data.length,
    "KEYTIME": _data.keytime,
    "INFO": _system.info,
    "STOP": _system.stop,
    "DBSIZE": _namespaces.dbsize,
    "NSNEW": _namespaces.nsnew,
    "NSDEL": _namespaces.nsdel,
    "NSLIST": _namespaces.nslist,
    "NSSET": _namespaces.nsset,
    "NSINFO": _namespaces.nsinfo,
    "NSJUMP": _namespaces.nsjump,
    "SELECT": _namespaces.select,
    "RELOAD": _namespaces.reload,
    "FLUSH": _namespaces.flush,
    # Those below are ours; they come last, so that they change nothing for what clients send already.
    "COMPACT": _admin.compact,
    "SYNC": _namespaces.sync,
    "SWAP": _swap.swap,
}


def find(word: bytes) -> str | None:
    """Return the name of the command that the original takes *word* for, or None."""
    text = word.decode("latin-1").upper()
    return next((name for name in COMMANDS if name.startswith(text)), None)
