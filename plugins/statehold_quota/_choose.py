from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from statehold_quota._accounting import Accounting
from statehold_quota._backend import Backend, Group, QuotaError
from statehold_quota._btrfs import Btrfs, Mode
from statehold_quota._kernel import ProjectQuota, UserQuota
from statehold_quota._loop import LoopImage
from statehold_quota._probe import TRIAL, Finding, probe

#: The words for the backends, the best first.
NAMES: Final = ("btrfs-simple", "btrfs-qgroup", "project", "user", "loop", "accounting")


@attrs.frozen(kw_only=True)
class Choice:
    """The backend that was chosen for a path, and what the probes found.

    Attributes:
        backend: the first that works.
        findings: of each that was probed, the chosen one last.

    """

    backend: Backend
    findings: tuple[Finding, ...]

    @property
    def finding(self) -> Finding:
        """What the probe found about the chosen one."""
        return self.findings[-1]


def backends(root: Path, *, enable: bool = False) -> tuple[Backend, ...]:
    """Return all backends for *root*, in the order of `NAMES`; `enable` lets btrfs switch quotas on."""
    return (
        Btrfs(root=root, mode=Mode.SIMPLE, enable=enable),
        Btrfs(root=root, mode=Mode.QGROUP, enable=enable),
        ProjectQuota(root=root),
        UserQuota(root=root),
        LoopImage(root=root),
        Accounting(root=root),
    )


def choose(root: Path, *, names: Sequence[str] = NAMES, enable: bool = False) -> Choice:
    """Return the first backend of *names* whose probe on *root* was refused a write over its limit.

    Accounting, which refuses nothing, is the last resort.

    Raises:
        QuotaError: none of them works.

    """
    findings = []
    for backend in backends(root, enable=enable):
        if backend.name in names:
            findings.append(probe(backend, root))
            if findings[-1].works:
                return Choice(backend=backend, findings=tuple(findings))
    said = "; ".join(f"{finding.backend}: {finding.reason}" for finding in findings)
    raise QuotaError(f"no quota backend works on {root}: {said or f'there is none of {list(names)}'}")


def examine(root: Path, *, enable: bool = False) -> tuple[Finding, ...]:
    """Return what a probe of each backend on *root* finds."""
    return tuple(probe(backend, root) for backend in backends(root, enable=enable))


def clean_up(root: Path) -> None:
    """Remove what probes on *root* that were killed have left; none may be at work there meanwhile."""
    for name in sorted({path.name.partition(".img")[0] for path in root.glob(f"{TRIAL}*")}):
        group = Group(root / name)
        image = root / f"{name}.img"
        for backend in [LoopImage(root=root)] if image.exists() else backends(root):
            if group.path.exists() or image.exists():
                with suppress(QuotaError, OSError):
                    backend.remove_group(group)
