from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from statehold.cli import Teller, Told, silence
from statehold.sdk import StateholdError
from statehold_qsfs.demo._machine import Machine
from statehold_qsfs.demo._picture import Picture
from statehold_qsfs.demo._stores import Store, Stores
from statehold_zstor.codec import MasterKey
from statehold_zstor.config import Config
from statehold_zstor.objects import Zstor

_DOCUMENTS: Final = 12
_LARGEST: Final = 700_000


def tell(*, quiet: bool = False, color: bool | None = None) -> Told:
    """Tell the story in a temporary folder that is gone afterwards, and return it.

    Raises:
        StateholdError: a step did not do what the story says.

    """
    started = time.monotonic()
    with (
        silence("statehold", "statehold_qsfs", "statehold_zstor"),
        TemporaryDirectory(prefix="statehold-demo-") as name,
    ):
        folder = Path(name)
        with Stores(folder) as stores:
            table = stores.config(key=MasterKey.new().hex(), meta_key=MasterKey.new().hex())
            with (
                Zstor(Config.of(table, folder=folder)) as zstor,
                Machine(folder / "machine", table) as machine,
            ):
                picture = Picture(stores, zstor)
                with Teller(picture, quiet=quiet, color=color) as teller:
                    story = Story(stores, machine, picture, teller)
                    for step in (
                        story.begin,
                        story.write,
                        story.kill,
                        story.come_back,
                        story.rot,
                        story.lose,
                    ):
                        step()
    return Told(seconds=time.monotonic() - started, steps=teller.steps)


class Story:
    """What happens, step by step."""

    def __init__(self, stores: Stores, machine: Machine, picture: Picture, teller: Teller) -> None:
        self._stores: Final = stores
        self._machine: Final = machine
        self._picture: Final = picture
        self._teller: Final = teller
        self._written: Final[dict[str, bytes]] = {}

    def begin(self) -> None:
        """Show what there is."""
        self._teller.step(
            "Seven stores in three places",
            """Seven 0-dbs run on this machine, each a process of its own: three in Ghent, two in Vienna and
            two in Cairo. What is stored is compressed, encrypted and cut into 7 shards, of which any 4
            suffice: one place may burn down. On them stands a filesystem.""",
        )
        self._machine.start()
        pids = ", ".join(str(store.pid) for store in self._stores.all)
        self._teller.note(f"the stores are the processes {pids}; the filesystem is open, and empty")

    def write(self) -> None:
        """Write documents."""
        self._teller.step(
            "Write",
            f"""{_DOCUMENTS} documents are written. Each fsync returns when the document is on this disk and
            in the stores. This machine keeps 2 MiB: what the stores have is deleted here.""",
        )
        began = time.monotonic()
        chance = random.Random(7)  # noqa: S311 - documents, not keys
        for number in self._teller.each("documents are written", range(1, _DOCUMENTS + 1)):
            self._write(f"/report-{number}.txt", _document(chance))
        seconds = time.monotonic() - began
        self._teller.wait("what is too much is deleted here", self._is_small)
        size = sum(map(len, self._written.values()))
        figures = self._machine.figures()
        self._teller.show()
        self._teller.note(
            f"{len(self._written)} documents, {_mb(size)}, in {seconds:.1f} s; each of "
            f"{len(self._picture.objects)} objects has its 7 shards"
        )
        self._teller.note(
            f"{figures.evicted} files of data are only in the stores now, {_mb(figures.local_bytes)} are here"
        )

    def kill(self) -> None:
        """Kill the stores of a place, and read and write on."""
        lost = self._stores.of("Ghent")
        self._teller.step(
            "Ghent burns down",
            "Three of the seven are killed, by SIGKILL. Everything is read, and something is written.",
        )
        for store in lost:
            store.kill()
        seconds, brought = self._read_all()
        self._write("/after-the-fire.txt", b"Nobody was hurt.\n" * 1000)
        self._teller.show()
        self._teller.note(
            f"all documents were read in {seconds:.2f} s; {brought} came from the 4 shards that are left"
        )
        self._teller.note(
            f"another one was written; that {self._picture.missing} shards are missing is noted, for a repair"
        )

    def come_back(self) -> None:
        """Start the stores again, and repair."""
        self._teller.step(
            "Ghent is rebuilt",
            "The three come back, with what they had. What they missed is made anew from the other shards.",
        )
        self._stores.start()
        count = 0

        def repaired() -> bool:
            nonlocal count
            try:
                count += self._picture.repair()
            except StateholdError:  # a store rests that did not answer before
                return False
            self._picture.look()
            return not self._picture.missing

        seconds = self._teller.wait("shards are made anew", repaired)
        self._teller.show()
        self._teller.note(f"{count} shards were made anew in {seconds:.1f} s: every object has all 7 again")

    def rot(self) -> None:
        """Damage shards, read, and scrub."""
        rotten = [self._stores.of(site)[0] for site in ("Ghent", "Vienna", "Cairo")]
        self._teller.step(
            "Disks rot",
            f"""In every shard that {_names(rotten)} have, a bit is turned. Nobody was told. Every shard is
            verified, everything is read, and what is damaged is repaired.""",
        )
        count = sum(store.damage() for store in rotten)
        verdicts = self._picture.verify()
        bad = sum(len(verdict.bad) for verdict in verdicts)
        self._teller.expect("every object to be readable", holds=all(one.readable for one in verdicts))
        self._teller.show()
        self._teller.note(
            f"a bit was turned in {count} pieces; {bad} shards of {len(verdicts)} objects were found, "
            "and named"
        )
        self._read_all()
        self._teller.note("all documents are read as they were written")
        self._teller.wait("damaged shards are made anew", self._scrubbed)
        self._teller.show()
        self._teller.note("they were made anew: a second look at every byte finds nothing")

    def lose(self) -> None:
        """Lose the machine, and restore it."""
        self._teller.step(
            "The machine is gone",
            """Its disk is wiped: cache, index, all. Another one has the configuration and the keys, and
            nothing else.""",
        )
        self._machine.lose()
        began = time.monotonic()
        restored = self._machine.restore()
        self._machine.start()
        seconds = time.monotonic() - began
        self._read_all()
        report = self._machine.files.check(deep=True)
        self._teller.expect("the filesystem to be sound", holds=report.sound)
        self._teller.show()
        self._teller.note(
            f"the filesystem was there again after {seconds:.2f} s, with {restored.segments} files of data, "
            f"{restored.evicted} of which came only when they were read"
        )
        self._teller.note(f"all {len(self._written)} documents are what they were, to the last byte")

    # -- What it does ----------------------------------------------------------------------------------------

    def _write(self, path: str, data: bytes) -> None:
        self._machine.write(path, data)
        self._written[path] = data

    def _read_all(self) -> tuple[float, str]:
        """Read all documents; return the seconds that took, and how much was brought from the stores."""
        began, before = time.monotonic(), self._machine.figures().brought_bytes
        names = {f"/{entry.name}" for entry in self._machine.files.list("/")}
        self._teller.expect("all documents to be there", holds=names == set(self._written))
        for path, data in self._teller.each("documents are read", self._written.items()):
            self._teller.expect(f"{path} to be what was written", holds=self._machine.read(path) == data)
        return time.monotonic() - began, _mb(self._machine.figures().brought_bytes - before)

    def _is_small(self) -> bool:
        figures = self._machine.figures()
        return figures.evicted > 0 and figures.local_bytes <= figures.limit_bytes

    def _scrubbed(self) -> bool:
        try:
            self._picture.repair()
            return all(verdict.whole for verdict in self._picture.verify())
        except StateholdError:  # objects come and go while a filesystem is protected
            return False


def _document(chance: random.Random) -> bytes:
    """Return a document: some text, and a picture, which cannot be compressed."""
    size = chance.randrange(_LARGEST // 4, _LARGEST)
    return b"All is well.\n" * (size // 40) + chance.randbytes(size // 2)


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _names(stores: Sequence[Store]) -> str:
    first, *others = (store.name for store in stores)
    return " and ".join(filter(None, [", ".join([first, *others[:-1]]), *others[-1:]]))
