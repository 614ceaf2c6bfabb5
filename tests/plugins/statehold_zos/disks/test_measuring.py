from __future__ import annotations

import errno
import os
import random

import attrs
import pytest
from zos_disks import MIB, contents

from statehold_zos.disks import _health, _speed
from statehold_zos.model import DiskState, DiskType, Policy, PoolState


class Clock:
    """A clock that only reads move on."""

    def __init__(self, *, each):
        self.now = 0.0
        self.each = each
        self.places = []

    def read(self, place, count):
        self.places.append(place)
        self.now += next(self.each)
        return bytes(count)


def always(seconds):
    while True:
        yield seconds


def mostly(seconds, rarely):
    chance = random.Random(1)
    while True:
        yield rarely if chance.random() < 0.3 else seconds


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        (always(0.0001), DiskType.SSD),
        (always(0.008), DiskType.HDD),
        (mostly(0.0002, 0.5), DiskType.SSD),
        (mostly(0.012, 0.0001), DiskType.HDD),
    ],
)
def test_a_disk_whose_arm_has_to_move_is_an_hdd(each, expected):
    clock = Clock(each=each)
    size = 2**40
    assert _speed.measure(clock.read, size, clock=lambda: clock.now) is expected
    assert max(clock.places) > size * 0.8
    assert min(clock.places) < size * 0.2
    assert all(place % 4096 == 0 for place in clock.places)


def test_the_operator_has_the_last_word_about_the_type(opened, four_disks, monkeypatch):
    monkeypatch.setattr("statehold_zos.disks._scan.measured", lambda _: DiskType.HDD)
    first = str(four_disks.images[0].path)
    disks = opened(attrs.evolve(four_disks, types={first: DiskType.SSD}))
    assert [disk.type for disk in disks.scan()] == [DiskType.SSD, None, None, None]
    assert [disk.type for disk in disks.plan().disks] == [DiskType.SSD] + [DiskType.HDD] * 3


def test_a_disk_is_measured_once_and_a_plan_stays_the_same_for_that(opened, four_disks, monkeypatch):
    asked = []

    def measured(path):
        asked.append(path)
        return DiskType.SSD if len(asked) % 2 else DiskType.HDD

    monkeypatch.setattr("statehold_zos.disks._scan.measured", measured)
    disks = opened(attrs.evolve(four_disks, types={}))
    tokens = disks.plan().tokens
    assert disks.plan().tokens == tokens
    assert len(asked) == 4


def test_an_image_is_really_read(tmp_path):
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    assert _speed.measured(str(image)) in set(DiskType)


def test_the_first_and_the_last_bytes_of_a_disk_are_tried():
    for size in (MIB, 256 * MIB, 10**12, 65536, 160 * MIB + 512):
        areas = _health.areas(size)
        assert areas[0] == 0
        assert areas[-1] + 65536 + 4096 > size
        assert all(place % 4096 == 0 for place in areas)


def test_a_healthy_disk_keeps_what_is_written_and_is_empty_afterwards(tmp_path):
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    assert _health.read_health(str(image)).good
    assert _health.write_health(str(image)).good
    assert contents(image) == {}


def test_a_disk_that_cannot_be_read_is_not_healthy(tmp_path, monkeypatch):
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 * MIB)

    def fails(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "preadv", fails)
    health = _health.read_health(str(image))
    assert (health.good, health.reason) == (False, "cannot be read: Input/output error")


def test_a_disk_that_forgets_what_was_written_is_not_healthy(tmp_path, monkeypatch):
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    monkeypatch.setattr(os, "pwrite", lambda _, data, __: len(data))
    health = _health.write_health(str(image))
    assert not health.good
    assert "does not keep what was written at byte 0" in health.reason


def test_a_disk_that_must_not_be_written_is_not_healthy(tmp_path, monkeypatch):
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 * MIB)

    def fails(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "pwrite", fails)
    assert "Read-only file system" in _health.write_health(str(image)).reason


@pytest.mark.parametrize(("ends", "good"), [(0, True), (4, True), (8, False), (16, False), (24, False)])
def test_what_smart_says_of_a_disk_counts(monkeypatch, ends, good):
    class Done:
        returncode = ends
        stdout = "SMART overall-health self-assessment test result: FAILED!\n"

    monkeypatch.setattr("statehold_quota.programs.find", lambda _: "/usr/sbin/smartctl")
    monkeypatch.setattr("statehold_zos.disks._health.outcome", lambda *_, **__: Done)
    monkeypatch.setattr("statehold_zos.disks._health._is_real", lambda _: True)
    health = _health._smart("/dev/sdx")
    assert health.good is good
    assert good or "FAILED" in health.reason


def test_a_failing_ssd_does_not_become_a_pool_of_any_type(opened, four_disks, monkeypatch):
    disks = opened(attrs.evolve(four_disks, images=four_disks.images[:1]))
    monkeypatch.setattr(
        "statehold_zos.disks._making.write_health",
        lambda _: attrs.evolve(_health.Health(good=False), reason="cannot be written"),
    )
    (failed,) = disks.prepare(tokens=disks.plan().tokens)
    assert failed.state is PoolState.FAILING
    (seen,) = disks.scan()
    assert (seen.state, seen.type, seen.reason) == (DiskState.FAILING, DiskType.SSD, "cannot be written")
    assert disks.plan(Policy(types=(DiskType.HDD,))).new == ()
