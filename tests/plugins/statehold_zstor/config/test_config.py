from __future__ import annotations

import tomllib
from pathlib import Path

import attrs
import pytest

from statehold_zstor.config import BackendKind, Config, ConfigError

KEY, META_KEY = "ab" * 32, "cd" * 32

WHOLE = f"""\
minimal_shards = 2
expected_shards = 4
redundant_groups = 1
redundant_nodes = 0
root = "/srv/files"
socket = "zstor.sock"
pid_file = "zstor.pid"
zdb_data_dir_path = "data"
max_zdb_data_dir_size = 512
zdbfs_mountpoint = "/mnt/files"
prometheus_port = 9100

[encryption]
algorithm = "AES"
key = "{KEY}"

[compression]
algorithm = "snappy"

[meta]
type = "zdb"

[meta.config]
prefix = "someprefix"

[meta.config.encryption]
algorithm = "AES"
key = "{META_KEY}"

[[meta.config.backends]]
address = "[::1]:9900"
namespace = "meta"

[[meta.config.backends]]
address = "10.0.0.2:9900"
password = "supersecret"

[[meta.config.backends]]
address = "10.0.0.3:9900"

[[meta.config.backends]]
address = "10.0.0.4:9900"

[[groups]]
[[groups.backends]]
address = "10.0.0.1:9901"
namespace = "data"
password = "supersecret"

[[groups.backends]]
url = "zdb+unix:///run/zdb.sock?namespace=data"

[[groups]]
[[groups.backends]]
url = "s3://bucket/some/prefix/"
endpoint = "http://127.0.0.1:9000"
access_key = "AKIA"
secret_key = "alsosecret"
limit = 1_000_000

[[groups.backends]]
url = "file:///srv/shards/"
timeout = 3
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "zstor.toml"
    path.write_text(text)
    return path


def problems_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Config.read(written(folder, text))
    assert str(written(folder, text)) in caught.value.message
    return list(caught.value.problems)


def test_a_configuration_of_the_original_is_read_with_all_its_fields(tmp_path: Path) -> None:
    config = Config.read(written(tmp_path, WHOLE))
    assert (config.minimal_shards, config.expected_shards) == (2, 4)
    assert (config.redundant_groups, config.redundant_nodes) == (1, 0)
    assert config.key.reveal() == KEY
    assert config.compression == "snappy"
    assert (config.root, config.socket) == (Path("/srv/files"), tmp_path / "zstor.sock")
    assert (config.pid_file, config.zdb_data_dir_path) == (tmp_path / "zstor.pid", tmp_path / "data")
    assert config.max_zdb_data_dir_size == 512 * 1024 * 1024
    assert (config.zdbfs_mountpoint, config.prometheus_port) == (Path("/mnt/files"), 9100)
    assert (config.meta.prefix, config.meta.key.reveal()) == ("someprefix", META_KEY)
    assert [each.url for each in config.meta.backends] == [
        "zdb://[::1]:9900/meta",
        "zdb://10.0.0.2:9900/default",
        "zdb://10.0.0.3:9900/default",
        "zdb://10.0.0.4:9900/default",
    ]
    assert [[each.url for each in group] for group in config.groups] == [
        ["zdb://10.0.0.1:9901/data", "zdb+unix:///run/zdb.sock?namespace=data"],
        ["s3://bucket/some/prefix", "file:///srv/shards"],
    ]
    assert [each.kind for group in config.groups for each in group] == [
        BackendKind.ZDB,
        BackendKind.ZDB,
        BackendKind.S3,
        BackendKind.FOLDER,
    ]
    assert (config.groups[1][0].limit, config.groups[1][1].timeout) == (1_000_000, 3.0)


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    config = Config.read(written(tmp_path, WHOLE))
    assert config.meta.minimal == 2
    assert config.meta.quorum == 3
    assert (config.acknowledge.minimum, config.acknowledge.metadata) == (4, 4)
    assert config.block_size == 1024 * 1024
    assert config.groups[0][0].timeout == 10.0


def test_a_table_is_read_as_a_file_is(tmp_path: Path) -> None:
    from_table = Config.of(tomllib.loads(WHOLE), folder=tmp_path)
    from_file = Config.read(written(tmp_path, WHOLE))
    assert from_table == attrs.evolve(from_file, source="the configuration")


def test_no_secret_is_shown(tmp_path: Path) -> None:
    shown = repr(Config.read(written(tmp_path, WHOLE)))
    for secret in (KEY, META_KEY, "supersecret", "alsosecret", "AKIA"):
        assert secret not in shown


def test_a_secret_comes_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZSTOR_TEST_KEY", KEY)
    (tmp_path / "meta.key").write_text(META_KEY + "\n")
    text = WHOLE.replace(f'"{KEY}"', '{ env = "ZSTOR_TEST_KEY" }')
    config = Config.read(written(tmp_path, text.replace(f'"{META_KEY}"', '{ file = "meta.key" }')))
    assert (config.key.reveal(), config.meta.key.reveal()) == (KEY, META_KEY)
    monkeypatch.delenv("ZSTOR_TEST_KEY")
    assert problems_of(tmp_path, text) == [
        "line 15: encryption.key: there is no environment variable ZSTOR_TEST_KEY"
    ]


def test_all_problems_are_told_at_once_each_with_its_field_and_line(tmp_path: Path) -> None:
    text = (
        WHOLE.replace("redundant_nodes = 0", "redundant_knots = 0")
        .replace('algorithm = "snappy"', 'algorithm = "lzma"')
        .replace('prefix = "someprefix"', "prefix = 7")
        .replace('address = "10.0.0.3:9900"', 'adress = "10.0.0.3:9900"')
        .replace("timeout = 3", 'timeout = "long"')
    )
    assert problems_of(tmp_path, text) == [
        "line 4: redundant_knots: is unknown: is redundant_nodes meant?",
        "line 18: compression.algorithm: expected 'snappy' or 'zstd' or 'none', got 'lzma'",
        "line 24: meta.config.prefix: expected a text, got a whole number",
        "line 38: meta.config.backends[2].address: is missing; or url",
        "line 39: meta.config.backends[2].adress: is unknown: is address meant?",
        "line 63: groups[1].backends[1].timeout: expected a number, got a text",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("minimal_shards = 2", "minimal_shards = 5", "expected at least minimal_shards, 5, got 4"),
        ("minimal_shards = 2", "minimal_shards = 0", "minimal_shards: expected 1 to 255, got 0"),
        ("minimal_shards = 2", "minimal_shards = true", "expected a whole number, got true or false"),
        ("expected_shards = 4", "expected_shards = 5", "there are 4 backends for 5 shards"),
        ("expected_shards = 4", "", "expected_shards: is missing"),
        ("redundant_groups = 1", "redundant_groups = 2", "4 shards cannot be placed on 4 backends"),
        ("redundant_nodes = 0", "redundant_nodes = 1", "4 shards cannot be placed on 4 backends"),
        (KEY, "ab", "encryption.key: expected 64 hex digits, got 2 characters"),
        (META_KEY, "x" * 64, "meta.config.encryption.key: expected 64 hex digits"),
        ('type = "zdb"', 'type = "etcd"', "meta.type: expected 'zdb', got 'etcd'"),
        ('address = "10.0.0.4:9900"', 'address = "10.0.0.3:9900"', "is meta.config.backends[2] already"),
        ("s3://bucket/some/prefix/", "ftp://bucket", "expected zdb://HOST:PORT/NAMESPACE"),
        ("s3://bucket/some/prefix/", "s3://me:too@bucket", "has a password in it"),
        ('secret_key = "alsosecret"', "", "it takes both access_key and secret_key"),
        ('endpoint = "http://127.0.0.1:9000"', 'endpoint = "127.0.0.1"', "expected http://HOST:PORT"),
        ("timeout = 3", 'password = "x"', "password: only a 0-db has one"),
        (
            'url = "file:///srv/shards/"',
            'url = "file:///srv/shards/"\nnamespace = "a"',
            "url says it already",
        ),
        ("prometheus_port = 9100", "prometheus_port = 70000", "expected 0 to 65535, got 70000"),
        ('zdb_data_dir_path = "data"', "", "is of zdb_data_dir_path, which is missing"),
        ("[encryption]", "[[encryption]]", "encryption: expected a table, got an array"),
        ("root = ", "acknowledge = { minimum = 1 }\nroot = ", "minimum: expected 2 to 4, got 1"),
        ("root = ", "acknowledge = { metadata = 2 }\nroot = ", "metadata: expected 3 to 4, got 2"),
        ("root = ", "block_size = 67108864\nroot = ", "a shard of a block may have 8,388,608 bytes"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in WHOLE
    assert any(expected in problem for problem in problems_of(tmp_path, WHOLE.replace(old, new)))


def test_a_configuration_without_groups_or_metadata_is_refused(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, "minimal_shards = 1\nexpected_shards = 1\n")
    assert problems == [
        "groups: is missing: at least one [[groups]] must be there",
        "meta: is missing",
        "encryption: is missing",
    ]


def test_a_file_that_is_not_there_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*No such file"):
        Config.read(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="at line 1"):
        Config.read(written(tmp_path, "minimal_shards = = 1"))


def test_a_policy_of_less_than_all_is_read(tmp_path: Path) -> None:
    config = Config.read(written(tmp_path, "acknowledge = { minimum = 3, metadata = 3 }\n" + WHOLE))
    assert (config.acknowledge.minimum, config.acknowledge.metadata) == (3, 3)


def test_a_folder_without_a_slash_before_it_lies_beside_the_configuration(tmp_path: Path) -> None:
    config = Config.read(written(tmp_path, WHOLE.replace("file:///srv/shards/", "file:shards/one")))
    assert config.groups[1][1].url == (tmp_path / "shards" / "one").as_uri()
