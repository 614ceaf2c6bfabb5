"""What this machine has for a sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs

from statehold.loading.sandbox import _landlock, _seccomp
from statehold.loading.sandbox._calls import Calls
from statehold.loading.sandbox._enter import enter
from statehold.loading.sandbox._lack import Lack
from statehold.loading.sandbox._policy import Policy
from statehold.loading.sandbox._prepare import prepare

_SECONDS = 30.0
_PROBE = """
import sys
sys.path[:] = {path!r}
from statehold.loading.sandbox._capabilities import probe
probe()
"""


@attrs.frozen(kw_only=True)
class Capabilities:
    """What of the sandbox works on this machine, for this user."""

    machine: str
    """As `uname -m` says it."""

    is_root: bool
    """Whether the host may give processes a user id of their own."""

    landlock: int
    """The version of Landlock's interface; 0: none."""

    seccomp: bool
    notifications: bool
    """Whether seccomp can ask the host, which granted hosts need."""

    namespaces: frozenset[str]
    """Those that a process can have of its own: user (without root), net, ipc, uts, pid."""

    lacking: tuple[Lack, ...]
    """Layers that a policy without grants would miss here; empty: nothing."""


def capabilities() -> Capabilities:
    """Try the sandbox in a short process of its own (some 100 ms) and say what works; ask once, at a deploy.

    If the process fails, so that nothing is known, everything is lacking.
    """
    try:
        calls = Calls()
    except OSError as error:
        return _none(str(error))
    found = {"landlock": _landlock.version(calls), "seccomp": _seccomp.available(calls)}
    script = _PROBE.format(path=[str(Path(path).absolute()) for path in sys.path])
    try:
        ended = subprocess.run(  # noqa: S603 - this Python, our own text
            [sys.executable, "-I", "-S", "-c", script],
            capture_output=True,
            timeout=_SECONDS,
            check=True,
            env={},
            stdin=subprocess.DEVNULL,
        )
        tried = json.loads(ended.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return _none(f"it could not be tried: {error}")
    return Capabilities(
        machine=calls.machine.name,
        is_root=os.geteuid() == 0,
        landlock=found["landlock"],
        seccomp=bool(found["seccomp"]),
        notifications=_seccomp.asks(calls),
        namespaces=frozenset(tried["namespaces"]),
        lacking=tuple(Lack(*each) for each in tried["lacking"]),
    )


def probe() -> None:
    """Enter the sandbox in this process, and write what could not be applied."""
    prepared = prepare(pid_namespace=True)
    lacking = [lack for lack in enter(Policy(), prepared=prepared) if lack.layer != "modules"]
    lacking += [lack for lack in prepared.lacking if lack.layer == "pid namespace"]
    found = {"namespaces": sorted(prepared.namespaces), "lacking": [attrs.astuple(lack) for lack in lacking]}
    os.write(1, json.dumps(found).encode())


def _none(reason: str) -> Capabilities:
    return Capabilities(
        machine=os.uname().machine,
        is_root=os.geteuid() == 0,
        landlock=0,
        seccomp=False,
        notifications=False,
        namespaces=frozenset(),
        lacking=(Lack("all", reason),),
    )
