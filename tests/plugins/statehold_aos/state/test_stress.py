"""Many claims, a bad network, and a host that is killed again and again."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lossy import Host, LossyCloud, open_states

from statehold_aos._state._batch import Change
from statehold_aos.database import Database
from statehold_aos.gateway import ClaimId, InProcess, checksum_of


def wait_until(happened, limit: float, between) -> bool:
    end = time.monotonic() + limit
    while not happened():
        if time.monotonic() > end:
            return False
        between()
        time.sleep(0.05)
    return True


def over_socket(tmp_path: Path) -> tuple[LossyCloud, Host]:
    """Return a cloud behind a socket, and a host that connects to it."""
    address = str(tmp_path / "cloud")
    cloud = LossyCloud(address, seed=8, loss=0.05)
    return cloud, Host(tmp_path / "aos.db", tmp_path / "folders", address)


def stress(
    tmp_path: Path,
    *,
    claims: int,
    changes: int,
    disconnects: int,
    kills: int,
    patience: float,
    sides: Callable[[Path], tuple[Any, Host]] = over_socket,
    others: Sequence[Callable[[], None]] = (),
) -> None:
    """Let claims change while everything breaks; *others* are events besides disconnects and kills."""
    dice = random.Random(7)
    ids = [ClaimId(1, f"s{n % 10}", f"u{n}") for n in range(claims)]
    files = {one: tmp_path / "folders" / one.service / one.users / "state.dat" for one in ids}
    last: dict[ClaimId, bytes] = {}
    with Database.open(tmp_path / "aos.db") as database:
        states = open_states(database, tmp_path / "folders")
        states.change({one: Change(state=b"first") for one in ids})
        states.close()
    cloud, host = sides(tmp_path)
    host.start()
    try:
        work = [(one, n) for n in range(changes) for one in dice.sample(ids, len(ids))]
        events = ["disconnect"] * disconnects + ["kill"] * kills + [*others]
        plan = sorted([(dice.randrange(len(work)), one) for one in events], key=lambda one: one[0])
        for at, (one, n) in enumerate(work):
            state = f"{one.service} {one.users} {n}".encode()
            if dice.random() < 0.1:
                cloud.push(one, b"cloud " + state)
            elif dice.random() < 0.5:
                files[one].write_bytes(state)
                last[one] = state
            else:
                new = files[one].with_name("new")
                new.write_bytes(state)
                new.replace(files[one])
                last[one] = state
            if at % max(1, len(work) // (5 * changes)) == 0:
                time.sleep(0.02)
            while plan and plan[0][0] <= at:
                _, event = plan.pop(0)
                if event == "disconnect":
                    assert wait_until(cloud.disconnect, patience, cloud.remind)
                    continue
                if callable(event):
                    event()
                    continue
                host.kill()
                host.start()
                if dice.random() < 0.5:  # at any moment of its start, or once it does something
                    seen = cloud.states()
                    wait_until(lambda seen=seen: cloud.states() > seen, 5, cloud.remind)
        cloud.loss = 0.0

        def agree() -> bool:
            return all(cloud.cloud.state(one) == files[one].read_bytes() for one in ids)

        assert wait_until(agree, patience, cloud.remind), [
            (one, cloud.cloud.state(one), files[one].read_bytes())
            for one in ids
            if cloud.cloud.state(one) != files[one].read_bytes()
        ][:5]
        # Twice in a row, for something may still be on its way.
        assert wait_until(lambda: not cloud.cloud.unconfirmed(), patience, cloud.remind)
        assert wait_until(agree, patience, cloud.remind)
    finally:
        host.kill()
        cloud.close()
    with Database.open(tmp_path / "aos.db") as database:
        states = open_states(database, tmp_path / "folders")
        # What the killed host could not take note of any more.
        states.connect(InProcess(cloud.cloud))
        for _ in range(10):
            states.turn()
        for one in ids:
            found = states.look(one)
            assert found is not None
            facts, disk = found
            assert cloud.cloud.state(one) == disk.state
            assert (facts.accepted, facts.pending, facts.asked) == (checksum_of(disk.state), None, None)
            kept = {version.state for version in states.kept(one)}
            assert last.get(one, b"first") in kept | cloud.had[one] | {disk.state}
        states.close()


def test_cloud_disk_and_checksum_agree_in_the_end(tmp_path: Path) -> None:
    stress(tmp_path, claims=20, changes=4, disconnects=5, kills=2, patience=60)


@pytest.mark.soak
def test_cloud_disk_and_checksum_of_1000_claims_agree_in_the_end(tmp_path: Path) -> None:
    """With 200 disconnects and 50 kill -9 of the host."""
    stress(tmp_path, claims=1_000, changes=10, disconnects=200, kills=50, patience=600)
