from __future__ import annotations

from pathlib import Path

import pytest

from statehold_zos.config import ConfigError, config_of, read_config
from statehold_zos.model import Config, DiskType, Image, Placement, Plain, Policy, Raid

WHOLE = """\
folder = "node"
devices = ["/dev/sdx", "/dev/disk/by-id/y"]
placement = "worst-fit"
grace = 60
every = 0.5
filling = 0.8

[types]
"/dev/sdx" = "hdd"
"images/b.img" = "ssd"

[policy]
raid = "raid1"
disks = 4
pools = 3
types = ["ssd"]
mixed_sizes = true

[over_provision]
ssd = 1.5

[[images]]
path = "images/a.img"
size = "2 GiB"
type = "hdd"

[[images]]
path = "images/b.img"
size = 1048576

[[plain]]
path = "/srv/plain"
size = "10 GB"
"""
LEAST = {"folder": "node", "devices": ["/dev/sdx"]}


def test_every_field_says_what_it_means_and_paths_are_beside_the_file(tmp_path: Path) -> None:
    file = tmp_path / "zos.toml"
    file.write_text(WHOLE)
    assert read_config(file) == Config(
        folder=tmp_path / "node",
        devices=("/dev/sdx", "/dev/disk/by-id/y"),
        images=(
            Image(path=tmp_path / "images/a.img", size=2**31),
            Image(path=tmp_path / "images/b.img", size=2**20),
        ),
        plain=(Plain(path=Path("/srv/plain"), size=10**10),),
        types={
            str(tmp_path / "images/a.img"): DiskType.HDD,
            "/dev/sdx": DiskType.HDD,
            str(tmp_path / "images/b.img"): DiskType.SSD,
        },
        policy=Policy(raid=Raid.RAID1, disks=4, pools=3, types=(DiskType.SSD,), mixed_sizes=True),
        placement=Placement.WORST_FIT,
        over_provision={DiskType.SSD: 1.5},
        grace=60.0,
        every=0.5,
        filling=0.8,
    )


def test_a_folder_and_a_disk_suffice(tmp_path: Path) -> None:
    assert config_of(LEAST, folder=tmp_path) == Config(folder=tmp_path / "node", devices=("/dev/sdx",))


def test_a_level_of_raid_has_its_least_number_of_disks(tmp_path: Path) -> None:
    assert config_of({**LEAST, "policy": {"raid": "raid10"}}, folder=tmp_path).policy.disks == 4


def test_all_that_is_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "zos.toml"
    file.write_text(
        """\
device = ["/dev/sdx"]
devices = ["/dev/sdx", "sdy", "/dev/sdx"]
placement = "first-fit"
filling = 2
zdb = "no-program"
[policy]
raid = "raid10"
disks = 6
types = ["ssd", "nvme"]
[[images]]
path = "a.img"
size = "lots"
[[images]]
path = "./a.img"
size = "1 MiB"
[over_provision]
hdd = 0.5
[types]
"/dev/sdz" = "ssd"
"""
    )
    with pytest.raises(ConfigError) as refused:
        read_config(file)
    assert [
        problem.replace(str(tmp_path), "")
        .replace(" from 1 to 2^60;", "")
        .replace(", such as 1073741824 or '1 GiB',", "")
        for problem in refused.value.problems
    ] == [
        "folder: is missing: where the node keeps its reservations, mounts, sockets and keys",
        "line 1: device: is unknown: is devices meant?",
        "line 2: devices: expected a path such as '/dev/sdb', got 'sdy'",
        "line 2: devices: /dev/sdx is named twice",
        "line 3: placement: expected 'best-fit' or 'worst-fit' or 'spread' or 'ssd-first', got 'first-fit'",
        "line 4: filling: expected 0.01 to 1, got 2.0",
        "line 5: zdb: expected a program, /no-program is none",
        "line 8: policy.disks: expected a multiple of 4, which raid10 needs, got 6",
        "line 9: policy.types: expected 'ssd' or 'hdd', got 'nvme'",
        "line 12: images[0].size: expected bytes got 'lots'",
        "line 14: images[1].path: /a.img is images[0] already",
        "line 17: over_provision.hdd: expected 1 to 1000, got 0.5",
        "line 19: types./dev/sdz: is none of the disks of this configuration",
    ]
    assert all(problem in refused.value.message for problem in refused.value.problems)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"folder": "node"}, "devices: name at least one disk"),
        ({"folder": 7, "devices": ["/dev/x"]}, "folder: expected a text, got a whole number"),
        ({"folder": "", "devices": ["/dev/x"]}, "folder: is missing"),
        ({**LEAST, "devices": "/dev/x"}, "devices: expected an array of texts, got '/dev/x'"),
        ({**LEAST, "images": [{"path": "a"}]}, "images[0].size: is missing: bytes, such as '10 GiB'"),
        ({**LEAST, "images": [{"size": 1}]}, "images[0].path: is missing"),
        ({**LEAST, "images": [{"path": 1, "size": 1}]}, "images[0].path: expected a text"),
        ({**LEAST, "images": [{"path": "a", "size": 1.5}]}, "images[0].size: expected bytes"),
        ({**LEAST, "plain": [{"path": "a", "size": 1, "x": 1}]}, "plain[0].x: is unknown"),
        ({**LEAST, "policy": {"types": []}}, "policy.types: names none"),
        ({**LEAST, "policy": {"mixed_sizes": 1}}, "policy.mixed_sizes: expected true or false"),
        ({**LEAST, "grace": "a day"}, "grace: expected a number, got a text"),
    ],
)
def test_what_cannot_be_is_refused_once(table: dict[str, object], problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        config_of(table, folder=tmp_path)
    (found,) = refused.value.problems
    assert found.startswith(problem)


def test_the_type_of_a_disk_is_said_once(tmp_path: Path) -> None:
    table = {
        **LEAST,
        "plain": [{"path": "a", "size": 1, "type": "ssd"}],
        "types": {"a": "hdd"},
    }
    with pytest.raises(ConfigError, match=r"types\.a: plain\[0\] has a type already"):
        config_of(table, folder=tmp_path)


@pytest.mark.parametrize(
    "text", ["grace = " + "9" * 5000, "devices = " + "[" * 20_000], ids=["number", "depth"]
)
def test_a_file_with_a_number_or_a_nesting_without_end_is_told_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "zos.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"zos\.toml is no TOML"):
        read_config(tmp_path / "zos.toml")


def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"zos\.toml: No such file") as missing:
        read_config(tmp_path / "zos.toml")
    assert "--config" in str(missing.value.hint)
    (tmp_path / "zos.toml").write_text("folder =")
    with pytest.raises(ConfigError, match=r"zos\.toml is no TOML: Invalid value"):
        read_config(tmp_path / "zos.toml")
