"""Random operations agree with a model, over mounts and remounts, and from four writers at once."""

from __future__ import annotations

import os
import random
import threading

import pytest
import qsfs_mounts
from qsfs_model import Model


@pytest.mark.parametrize(
    ("steps", "seeds"),
    [(500, [1, 2]), pytest.param(20_000, range(10, 20), marks=pytest.mark.soak)],
    ids=["some", "many"],
)
def test_random_operations_agree_with_a_model(tmp_path, steps, seeds):
    with qsfs_mounts.mounted(tmp_path) as mount:
        for seed in seeds:
            folder = mount.point / f"model-{seed}"
            folder.mkdir()
            model = Model(folder, seed)
            for i in range(steps):
                model.step()
                if i % (steps // 2) == steps // 4:
                    model.close()
                    mount.stop()
                    mount.start()
                    model.check()
            model.check()
            model.close()
    report = qsfs_mounts.qsfs("doctor", "--deep", mount.store).stdout
    assert "nothing is wrong" in report


def test_four_writers_do_not_disturb_each_other(qsfs, mounted_folder):
    def write(number: int) -> None:
        model = Model(mounted_folder / f"own-{number}", number)
        (mounted_folder / f"own-{number}").mkdir()
        try:
            for _ in range(120):
                model.step()
            model.check()
        except BaseException as error:
            failures.append(error)
        finally:
            model.close()

    failures: list[BaseException] = []
    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(qsfs_mounts.PATIENCE)
    assert failures == []


def test_four_writers_of_one_file_leave_each_record_whole(qsfs, mounted_folder):
    size, records = 3000, 200
    fd = os.open(mounted_folder / "records", os.O_CREAT | os.O_RDWR)

    def write(number: int) -> None:
        order = list(range(number, records, 4))
        random.Random(number).shuffle(order)
        for i in order:
            os.pwrite(fd, b"%08d" % i * (size // 8), i * size)
            if i % 16 == 0:
                os.fsync(fd)

    try:
        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(qsfs_mounts.PATIENCE)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        for i in range(records):
            assert os.pread(fd, size, i * size) == b"%08d" % i * (size // 8)
    finally:
        os.close(fd)
