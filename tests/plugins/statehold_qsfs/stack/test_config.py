from __future__ import annotations

from pathlib import Path

import pytest

from statehold_qsfs.stack import Fsync, StackConfig, StackConfigError
from statehold_qsfs.stack._stack import opened_zstor

WHOLE = """
[zstor]
file = "zstor.toml"
[local]
folder = "data"
limit = "2 GiB"
segment = "4 MiB"
[durability]
fsync = "quorum"
window = 5
[mount]
point = "/mnt/files"
"""


def read(folder: Path, text: str) -> StackConfig:
    path = folder / "qsfs.toml"
    path.write_text(text)
    return StackConfig.read(path)


def test_paths_are_relative_to_the_file_and_sizes_have_units(tmp_path):
    config = read(tmp_path, WHOLE)
    assert config.zstor == tmp_path / "zstor.toml"
    assert config.local.folder == tmp_path / "data"
    assert (config.local.limit, config.local.segment) == (2 * 2**30, 4 * 2**20)
    assert config.durability.fsync is Fsync.QUORUM
    assert config.durability.window == 5
    assert config.mount.point == Path("/mnt/files")


def test_by_default_ten_seconds_are_lost_with_the_machine_and_nothing_is_mounted(tmp_path):
    config = read(tmp_path, '[zstor]\nminimal_shards = 2\n[local]\nfolder = "data"\n')
    assert config.zstor == {"minimal_shards": 2}
    assert config.durability.fsync is Fsync.LOCAL
    assert config.durability.window == 10
    assert config.mount.point is None


def test_all_problems_are_told_at_once(tmp_path):
    with pytest.raises(StackConfigError) as error:
        read(
            tmp_path,
            '[zstr]\n[local]\nfolder = "x"\nlimit = "ten"\nsize = 1\n[durability]\nfsync = "maybe"\n',
        )
    message = str(error.value)
    for part in ("[zstr] is unknown", "[zstor]", "local.limit", "'ten'", "`size`", "'maybe'"):
        assert part in message


@pytest.mark.parametrize(
    ("local", "durability", "said"),
    [
        ("segment = 100", "", "512 KiB to 1 GiB"),
        ('limit = "4 MiB"\nsegment = "2 MiB"', "", "at least four times"),
        ("", "window = 0", "1 to 86400 seconds, got 0"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, local, durability, said):
    with pytest.raises(StackConfigError, match=said):
        read(tmp_path, f'[zstor]\nfile = "z"\n[local]\nfolder = "x"\n{local}\n[durability]\n{durability}\n')


def test_what_is_no_toml_or_not_there_is_told(tmp_path):
    with pytest.raises(StackConfigError, match="cannot read"):
        read(tmp_path, "[zstor")
    with pytest.raises(StackConfigError, match="cannot read"):
        StackConfig.read(tmp_path / "none.toml")


@pytest.mark.parametrize("zstor", ["file = 5", 'file = ""', 'file = "z"\nminimal_shards = 2'])
def test_a_file_of_zstor_that_is_no_path_or_not_alone_is_told(tmp_path, zstor):
    with pytest.raises(StackConfigError, match="expected a path, and nothing else"):
        read(tmp_path, f'[zstor]\n{zstor}\n[local]\nfolder = "x"\n')


@pytest.mark.parametrize("relative", [False, True])
def test_paths_of_zstor_are_relative_to_the_file_wherever_the_data_lie(tmp_path, monkeypatch, relative):
    """A key beside the configuration, or a folder, is not looked for beside the data of this machine."""
    etc = tmp_path / "etc"
    (etc / "shards").mkdir(parents=True)
    (etc / "key").write_text("ab" * 32)
    text = """
[zstor]
minimal_shards = 1
expected_shards = 1
[zstor.encryption]
key = {file = "key"}
[[zstor.groups]]
[[zstor.groups.backends]]
url = "file:shards"
[zstor.meta.config]
prefix = "files"
backends = [{url = "file:shards"}]
[zstor.meta.config.encryption]
key = {file = "key"}
[local]
folder = "%s"
"""
    config = read(etc, text % (tmp_path / "var" / "machine"))
    if relative:
        monkeypatch.chdir(etc)
        config = StackConfig.read(Path("qsfs.toml"))
        monkeypatch.chdir(tmp_path)
    with opened_zstor(config) as zstor:
        zstor.store("object", b"data")
        assert zstor.read("object") == b"data"
    assert any((etc / "shards").iterdir())
