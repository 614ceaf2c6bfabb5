from __future__ import annotations

import attrs
import pytest
from file_systems import mount, run, unmount_all
from zos_disks import MIB, contents, loops_of, restart

from statehold_zos.disks import _erase, _programs
from statehold_zos.ledger import ClaimKind, Ledger, Request
from statehold_zos.model import DiskState, DiskType, Policy, PoolState, RefusedError, ZosError

ONE = Policy(pools=1)


def made(disks, policy=ONE):
    return disks.prepare(policy, tokens=disks.plan(policy).tokens)


def token(disks, pool):
    return next(old.token for old in disks.plan().pools if old.id == pool.id)


def test_a_pool_is_wiped_by_its_name_and_the_token_of_the_plan(disks, tmp_path):
    (pool,) = made(disks)
    with pytest.raises(RefusedError, match="is not the token"):
        disks.wipe(pool.id, token="wipe-000000000000")
    assert disks.pool(pool.id) == pool
    disks.wipe(pool.id, token=token(disks, pool))
    assert disks.pools() == []
    first = disks.scan()[0]
    assert (first.state, first.found) == (DiskState.FREE, ())
    assert not pool.path.exists()
    assert loops_of(tmp_path) == []
    assert [again.state for again in made(disks)] == [PoolState.READY]


def test_the_token_of_a_plan_is_old_as_soon_as_something_changes_on_the_pool(disks):
    (pool,) = made(disks)
    before = token(disks, pool)
    assert token(disks, pool) == before
    (pool.path / "somebody's").write_text("diary")
    with pytest.raises(RefusedError, match="look at the plan again"):
        disks.wipe(pool.id, token=before)
    assert (pool.path / "somebody's").read_text() == "diary"


def test_a_pool_is_not_wiped_while_something_is_reserved_on_it(disks, four_disks):
    (pool,) = made(disks)
    with Ledger(four_disks.folder) as ledger:
        claim = ledger.claims.reserve(Request(kind=ClaimKind.SPACE, type=DiskType.SSD, size=MIB))
        ledger.claims.settle(claim.id)
        (planned,) = disks.plan().pools
        assert "1 reservation" in planned.reason
        with pytest.raises(RefusedError, match="1 reservation"):
            disks.wipe(pool.id, token=planned.token)
        assert disks.pool(pool.id).state is PoolState.READY
        ledger.claims.begin_release(claim.id)
        ledger.claims.forget(claim.id)
    disks.wipe(pool.id, token=token(disks, pool))


def test_nothing_is_left_of_a_pool_not_even_copies_of_what_was_erased(disks, four_disks):
    (pool,) = made(disks)
    image = four_disks.images[0].path
    assert str(image) in pool.disks
    (pool.path / "file").write_bytes(b"a secret of somebody" * 1000)
    disks.unmount(pool.id)
    with image.open("r+b") as file:  # the copy of a partition table, at the end
        file.seek(-512, 2)
        file.write(b"EFI PART")
    assert b"_BHRfS_M" in b"".join(contents(image).values())
    disks.mount(pool.id)
    disks.wipe(pool.id, token=token(disks, pool))
    assert image.stat().st_size == 256 * MIB
    assert contents(image) == {}


def test_a_disk_that_was_away_when_its_pool_was_wiped_is_emptied_before_its_next_use(
    opened, two_mirrors, tmp_path
):
    disks = opened(two_mirrors)
    policy = attrs.evolve(two_mirrors.policy, pools=1)
    (pool,) = made(disks, policy)
    restart(two_mirrors)
    image = tmp_path / "disk0.img"
    image.rename(tmp_path / "away")
    disks = opened(two_mirrors)
    disks.start()
    disks.wipe(pool.id, token=token(disks, pool))
    image.unlink(missing_ok=True)
    (tmp_path / "away").rename(image)
    disks = opened(two_mirrors)
    assert disks.start() == []
    assert disks.scan()[0].state is DiskState.FREE
    assert "was wiped" in disks.scan()[0].reason
    (again,) = made(disks, policy)
    assert (again.state, again.disks) == (PoolState.READY, pool.disks)


def test_a_wipe_that_fails_on_one_disk_wipes_the_others_and_goes_on_when_asked_again(
    opened, two_mirrors, monkeypatch
):
    disks = opened(two_mirrors)
    policy = attrs.evolve(two_mirrors.policy, pools=1)
    (pool,) = made(disks, policy)
    plain, bad = _erase.erase, pool.disks[0]

    def erase(device, **named):
        if device.name == bad:
            raise ZosError("cannot be written")
        plain(device, **named)

    monkeypatch.setattr("statehold_zos.disks._wiping.erase", erase)
    wanted = token(disks, pool)
    with pytest.raises(ZosError, match=r"only in part.*cannot be written"):
        disks.wipe(pool.id, token=wanted)
    assert disks.pool(pool.id).state is PoolState.WIPING
    assert disks.start()[0].state is PoolState.WIPING
    assert set(pool.disks).isdisjoint(disks.plan().new[0].disks)
    monkeypatch.undo()
    disks.wipe(pool.id, token=wanted)
    assert [disk.state for disk in disks.scan()] == [DiskState.FREE] * 4


def test_what_came_onto_a_disk_after_its_pool_is_not_wiped_with_it(opened, four_disks):
    disks = opened(four_disks)
    (pool,) = made(disks)
    restart(four_disks)
    image = four_disks.images[0].path
    run("mkfs.ext4", "-q", "-F", image)
    before = contents(image)
    disks = opened(four_disks)
    disks.start()
    disks.wipe(pool.id, token=token(disks, pool))
    assert disks.scan()[0].state is DiskState.FOREIGN
    assert contents(image) == before


def test_all_there_is_on_a_pool_makes_its_token(disks):
    (pool,) = made(disks)
    for number in range(101):
        folder = pool.path / f"{number:03}"
        folder.mkdir()
        for each in range(100):
            (folder / f"{each}").touch()
    before = token(disks, pool)
    for folder in pool.path.iterdir():
        if folder.is_dir():
            (folder / "50").write_text("diary")
    assert token(disks, pool) != before


def test_what_is_mounted_in_place_of_a_pool_is_not_unmounted(disks, tmp_path):
    (pool,) = made(disks)
    disks.unmount(pool.id)
    other = tmp_path / "other.img"
    with other.open("wb") as file:
        file.truncate(256 * MIB)
    run("mkfs.btrfs", "-q", other)
    pool.path.mkdir()
    mount(other, pool.path, "btrfs")
    (pool.path / "letter").write_text("private")
    for change in (lambda: disks.unmount(pool.id), lambda: disks.wipe(pool.id, token=token(disks, pool))):
        with pytest.raises(ZosError, match="something else is mounted"):
            change()
    assert (pool.path / "letter").read_text() == "private"
    unmount_all(pool.path)
    disks.wipe(pool.id, token=token(disks, pool))


def test_programs_that_wipe_a_disk_keep_the_turn_until_they_end(disks, monkeypatch):
    """Else one that goes on after its process was killed writes over what the next one makes."""
    (pool,) = made(disks)
    plain, without = _programs.outcome, set()

    def outcome(name, *words, held=(), **named):
        if not held:
            without.add((name, words[0]))
        return plain(name, *words, held=held, **named)

    monkeypatch.setattr(_programs, "outcome", outcome)
    disks.wipe(pool.id, token=token(disks, pool))
    assert without.isdisjoint({("wipefs", "--all"), ("fallocate", "--punch-hole")})
    assert ("wipefs", "--no-act") in without


def test_a_pool_that_somebody_uses_is_not_wiped(disks):
    (pool,) = made(disks)
    file = pool.path / "open"
    with file.open("w"):
        wanted = token(disks, pool)
        with pytest.raises(ZosError, match="busy"):
            disks.wipe(pool.id, token=wanted)
    disks.wipe(pool.id, token=wanted)
    assert disks.pools() == []
