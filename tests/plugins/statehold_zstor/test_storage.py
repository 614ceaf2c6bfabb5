"""The storage `Zstor` beyond the kit: configurations of operators, batches, damage."""

from __future__ import annotations

from pathlib import Path

import pytest
from zstor_worlds import table_of, toml_of

from statehold.sdk import Field, StorageError
from statehold.testing import open_storage
from statehold_zstor.config import Config
from statehold_zstor.objects import Zstor
from statehold_zstor.storage import provider

KEY = [Field("Name", "text", required=True)]
VALUE = [Field("Data", "bytes")]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Return the file of a configuration with five folders."""
    for name in [*(f"data{number}" for number in range(5)), *(f"meta{number}" for number in range(4))]:
        (tmp_path / name).mkdir()
    table = table_of(urls=lambda n: f"file:data{n}", meta_urls=lambda n: f"file:meta{n}", timeout=5)
    path = tmp_path / "zstor.toml"
    path.write_text(toml_of(table), encoding="utf-8")
    return path


def opened(path: Path, *allowed: object):
    return open_storage(
        provider,
        key=KEY,
        value=VALUE,
        config={"Config": str(path)},
        allowances={"zstor": list(allowed)} if allowed else {},
    )


def test_only_a_configuration_that_the_operator_allows_is_used(written: Path) -> None:
    """Its path stands in the app's own text."""
    for allowed in ((), (str(written.parent),), ("/etc/other.toml",)):
        with (
            pytest.raises(StorageError, match="may not use the zstor of") as caught,
            opened(written, *allowed),
        ):
            pass
        assert '"allow": {"zstor": [' in caught.value.hint


def test_a_configuration_that_is_wrong_is_told_when_the_storage_is_opened(written: Path) -> None:
    """With what is wrong."""
    written.write_text("minimal_shards = 'x'", encoding="utf-8")
    with pytest.raises(StorageError, match="minimal_shards"), opened(written, str(written)):
        pass


def test_rows_are_objects_of_the_operator_s_zstor_and_outlive_lost_backends(written: Path) -> None:
    """Whatever an app keeps is protected as everything else there is."""
    with opened(written, str(written)) as storage:
        key = storage.key(1, Name="a letter")
        storage.insert(key, {"Data": b"Dear Ann"})
        for number in (1, 3):
            for path in (written.parent / f"data{number}").rglob("*/*"):
                if path.is_file():
                    path.unlink()
        assert storage.facade.get(key).Data == b"Dear Ann"
    with Zstor(Config.read(written)) as zstor:
        (info,) = zstor.list("rows/")
        assert (info.shards, info.data_shards) == (5, 3)


def test_a_batch_that_fails_half_way_is_undone(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that were there are as before, those that were not are gone."""
    with opened(written, str(written)) as storage:
        storage.insert(storage.key(1, Name="a"), {"Data": b"before"})
        batch = [
            storage.facade.insert(storage.key(1, Name=name), {"Data": data})
            for name, data in (("a", b"after"), ("b", b"new"), ("c", b"last"))
        ]
        store, calls = Zstor.store, []

        def fail_at_the_last(self: Zstor, key: str, source: bytes, **options: object) -> object:
            calls.append(key)
            if len(calls) == 3:
                (written.parent / "data0").rename(written.parent / "away")
                try:
                    return store(self, key, source, **options)
                finally:
                    (written.parent / "away").rename(written.parent / "data0")
                    self.world.look()
            return store(self, key, source, **options)

        monkeypatch.setattr(Zstor, "store", fail_at_the_last)
        with pytest.raises(StorageError, match=r"apply failed: .* is not stored"):
            storage.storage.apply_batch(batch)
        assert storage.facade.get(storage.key(1, Name="a")).Data == b"before"
        assert storage.facade.get(storage.key(1, Name="b")) is None
        assert storage.facade.get(storage.key(1, Name="c")) is None


def test_a_batch_is_undone_that_comes_upon_a_row_which_cannot_be_read(written: Path) -> None:
    """As what was there could not be brought back, nothing of it is stored."""
    with opened(written, str(written)) as storage:
        storage.insert(storage.key(1, Name="lost"), {"Data": b"before"})
        for number in range(3):
            for path in (written.parent / f"data{number}").rglob("*/*"):
                if path.is_file():
                    path.unlink()
        batch = [
            storage.facade.insert(storage.key(1, Name=name), {"Data": b"new"}) for name in ("first", "lost")
        ]
        with pytest.raises(StorageError, match="cannot be read"):
            storage.storage.apply_batch(batch)
        assert storage.facade.get(storage.key(1, Name="first")) is None


def test_a_version_with_another_configuration_uses_it_while_the_one_before_is_open(
    tmp_path: Path, written: Path
) -> None:
    """It is opened before that is closed, and gives its rows their redundancy."""
    folder = tmp_path / "own"
    folder.mkdir()
    with open_storage(provider, key=KEY, value=VALUE, data_folder=folder) as before:
        key = before.key(1, Name="a")
        before.insert(key, {"Data": b"1"})
        with open_storage(provider, key=KEY, value=VALUE, data_folder=folder, config={"Shards": 5}) as after:
            assert after.facade.get(key).Data == b"1"
            after.insert(after.key(1, Name="b"), {"Data": b"2"})
            assert len(list((folder / "shards").iterdir())) == 5
            assert all(any(shard.rglob("*=")) for shard in (folder / "shards").iterdir())
            assert before.facade.get(before.key(1, Name="b")).Data == b"2"
    with opened(written, str(written)) as before:
        text = written.read_text(encoding="utf-8")
        written.write_text(text.replace("minimal_shards = 3", "minimal_shards = 2"), encoding="utf-8")
        with opened(written, str(written)) as after:
            after.insert(after.key(1, Name="c"), {"Data": b"3"})
    with Zstor(Config.read(written)) as zstor:
        assert [info.data_shards for info in zstor.list("rows/")] == [2]


def test_a_probe_tells_which_backends_are_missing(written: Path) -> None:
    """Before the version becomes current."""
    (written.parent / "data2").rmdir()
    with (
        opened(written, str(written)) as storage,
        pytest.raises(StorageError, match=r"4 backends take shards.*data2"),
    ):
        storage.storage.probe()


def test_keys_of_a_storage_s_own_folders_are_for_its_owner_alone(tmp_path: Path) -> None:
    """And stay as they are, however often it is opened."""
    seen = set()
    for expected in (None, b"1"):
        with open_storage(provider, key=KEY, value=VALUE, data_folder=tmp_path) as storage:
            key = storage.key(1, Name="a")
            found = storage.facade.get(key)
            assert (found.Data if found is not None else None) == expected
            storage.insert(key, {"Data": b"1"})
        (path,) = tmp_path.rglob("keys")
        assert path.stat().st_mode & 0o777 == 0o600
        seen.add(path.read_text())
    assert len(seen) == 1
