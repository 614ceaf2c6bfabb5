"""Does something with the disks of a node, and is killed as if by `kill -9` right after a step of it.

Arguments: the folder of the images, the steps' name, and the words for what is done.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

MIB = 2**20

#: What is called, and after which of its calls the end comes.
STEPS = {
    "kept": ("disks._records:Records.put", 1),
    "image": ("disks._devices:ImageFile.make", 1),
    "tried": ("disks._making:write_health", 2),
    "file system": ("disks._btrfs:make", 1),
    "mounted": ("disks._mounting:mount", 1),
    "probed": ("disks._ground:Ground.probe", 1),
    "signed": ("disks._identity:sign", 1),
    "kept as ready": ("disks._records:Records.put", 2),
    "told": ("disks._ground:Ground.tell", 1),
    "begun": ("ledger._pools:Pools.begin_wipe", 1),
    "kept as wiping": ("disks._records:Records.put", 1),
    "unmounted": ("disks._mounting:unmount", 1),
    "erased": ("disks._wiping:erase", 1),
    "both erased": ("disks._wiping:erase", 2),
    "removed": ("ledger._pools:Pools.remove", 1),
}
MAKING = ("kept", "image", "tried", "file system", "mounted", "probed", "signed", "kept as ready", "told")
WIPING = ("begun", "kept as wiping", "unmounted", "erased", "both erased", "removed")
#: Not after a step, but while a program that this process has started goes on without it.
WHILE = "while the file system is made"


def killed_after(folder: Path, step: str, *words: str) -> None:
    """Run this file, and return when it was killed at the step."""
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, str(here / "zos_killed.py"), str(folder), step, *words],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, (done.returncode, done.stdout, done.stderr)


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _end_after(place: str, calls: int) -> None:
    module, _, name = place.partition(":")
    owner: object = importlib.import_module(f"statehold_zos.{module}")
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    plain: Callable[..., object] = getattr(owner, last)
    left = [calls]

    def call(*arguments: object, **named: object) -> object:
        answer = plain(*arguments, **named)
        left[0] -= 1
        if not left[0]:
            _end()
        return answer

    setattr(owner, last, call)


def _end_while(program: str) -> None:
    plain = subprocess.run

    def run(command: list[str], **named: object) -> object:
        if not command[0].endswith(program):
            return plain(command, **named)  # type: ignore[call-overload]
        # It takes a while, and nobody reads what it writes.
        slow = ["/bin/sh", "-c", 'sleep 1; exec "$@"', "sh", *command]
        subprocess.Popen(slow, pass_fds=named["pass_fds"], stdout=subprocess.DEVNULL)  # type: ignore[call-overload]
        return _end()

    subprocess.run = run  # type: ignore[assignment]


def main(folder: Path, step: str, what: str, *tokens: str) -> None:
    """Do it."""
    from statehold_zos.disks import DiskModule
    from statehold_zos.ledger import Ledger
    from statehold_zos.model import Config, DiskType, Image, Policy, Raid

    images = tuple(Image(path=folder / f"disk{number}.img", size=160 * MIB) for number in range(2))
    config = Config(
        folder=folder / "node",
        images=images,
        types=dict.fromkeys((str(image.path) for image in images), DiskType.SSD),
        policy=Policy(raid=Raid.RAID1, disks=2),
    )
    disks = DiskModule(config, Ledger(config.folder))
    if step == WHILE:
        _end_while("mkfs.btrfs")
    else:
        _end_after(*STEPS[step])
    if what == "prepare":
        disks.prepare(tokens=disks.plan().tokens)
    else:
        disks.wipe(what, token=tokens[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
