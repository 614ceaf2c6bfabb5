"""What the kit does not ask: what is reserved is resized, released, done once, or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from statehold.sdk import Intent, StorageError
from statehold.testing import OpenStorage, open_storage
from statehold_quota import Accounting
from statehold_zdb.client import Client, Place, ReplyError
from statehold_zos.model import NoSpaceError, ZosError
from statehold_zos.storage import make_providers

MIB = 2**20
PASSWORD = "correct horse battery"
PROVIDERS = make_providers()


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStorage]:
    folder = tmp_path_factory.mktemp("n")
    with open_storage(PROVIDERS["Disk"], config={"Size": "64 MiB"}, data_folder=folder) as opened:
        yield opened
        opened.storage.node.namespaces.stop()


@pytest.fixture
def pool(disks: OpenStorage) -> Iterator[OpenStorage]:
    """Open a `Pool`; what it has reserved goes with its test."""
    with opened(disks, "Pool") as storage:
        yield storage


@pytest.fixture
def namespace(disks: OpenStorage) -> Iterator[OpenStorage]:
    with opened(disks, "Namespace") as storage:
        yield storage


@contextlib.contextmanager
def opened(disks: OpenStorage, name: str) -> Iterator[OpenStorage]:
    node = disks.storage.node
    with open_storage(PROVIDERS[name], storages={"Disk": disks.storage}) as storage:
        yield storage
        for space in node.pools.list():
            node.pools.release(space.id)
        for each in node.namespaces.list():
            node.namespaces.release(each.id, now=True)


def of(kind: str, size: int, **others: object) -> dict[str, object]:
    return {"Type": kind, "Size": size, **others}


def client_of(row: Any, password: str = PASSWORD) -> Client:
    return Client(Place(host=row.Host, port=row.Port, namespace=row.Id), password=password)


def test_a_space_is_resized_both_ways_and_released_with_all_in_it(pool: OpenStorage) -> None:
    key = pool.key(1, Name="a")
    pool.insert(key, of("ssd", 4 * MIB))
    for size in (8 * MIB, 2 * MIB):
        pool.update(key, pool.facade.get(key), {"Size": size})
        assert pool.facade.get(key).Size == size
    path = Path(pool.facade.get(key).Path)
    (path / "file").write_bytes(b"x" * MIB)
    row = pool.facade.get(key)
    assert (row.Used, row.State, row.Limits) == (MIB, "ready", "accounting (advisory: nothing is refused)")
    with pytest.raises(StorageError, match="holds 1,048,576 bytes, and cannot get 4,096"):
        pool.update(key, row, {"Size": 4096})
    pool.update(key, row, {"Released": True})
    assert (pool.facade.get(key), path.exists()) == (None, False)


@pytest.mark.parametrize("kind", ["Pool", "Namespace"])
def test_what_is_intended_is_done_once_however_often_it_is_applied(disks: OpenStorage, kind: str) -> None:
    with opened(disks, kind) as storage:
        key = storage.key(1, Name="a")
        more = {"Password": PASSWORD} if kind == "Namespace" else {}
        first = [storage.facade.insert(key, storage.value(**of("ssd", MIB, **more)))]
        storage.writer.apply_batch(first)
        there = storage.facade.get(key)
        storage.writer.apply_batch(first)
        assert storage.facade.get(key) == there
        second = [storage.facade.update(key, there, {"Released": True})]
        storage.writer.apply_batch(second)
        storage.writer.apply_batch(second)
        assert storage.facade.get(key) is None


def test_of_a_batch_that_fails_nothing_is_left(pool: OpenStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, grown, made, last = (pool.key(1, Name=name) for name in ("kept", "grown", "made", "last"))
    pool.insert(kept, of("ssd", MIB))
    pool.insert(grown, of("ssd", MIB))
    node = pool.storage._lease._node
    reserve = node.pools.reserve

    def failing(*args: Any, **named: Any) -> Any:
        if named["name"] == "last":
            raise NoSpaceError("somebody else was faster")
        return reserve(*args, **named)

    monkeypatch.setattr(node.pools, "reserve", failing)
    batch = [
        pool.facade.update(kept, pool.facade.get(kept), {"Released": True}),
        pool.facade.update(grown, pool.facade.get(grown), {"Size": 2 * MIB}),
        pool.facade.insert(made, pool.value(**of("ssd", MIB))),
        pool.facade.insert(last, pool.value(**of("ssd", MIB))),
    ]
    with pytest.raises(StorageError, match=r"test.Pool: apply failed: somebody else was faster"):
        pool.writer.apply_batch(batch)
    rows = {key.Name: row.Size for key, row in pool.facade.read(pool.prefix(1))}
    assert rows == {"kept": MIB, "grown": MIB}


def test_what_could_not_be_undone_is_told(pool: OpenStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    node = pool.storage._lease._node
    reserve = node.pools.reserve

    def failing(*args: Any, **named: Any) -> Any:
        if named["name"] == "b":
            raise NoSpaceError("somebody else was faster")
        return reserve(*args, **named)

    def stuck(space: str) -> None:
        raise ZosError(f"{space} is stuck")

    batch = [pool.facade.insert(pool.key(1, Name=name), pool.value(**of("ssd", MIB))) for name in "ab"]
    with monkeypatch.context() as patch:
        patch.setattr(node.pools, "reserve", failing)
        patch.setattr(node.pools, "release", stuck)
        with pytest.raises(
            StorageError, match=r"not all that was done of it could be undone: space-\w+ is stuck"
        ):
            pool.writer.apply_batch(batch)


def test_a_batch_that_has_no_room_as_a_whole_is_refused_before_it_is_done(pool: OpenStorage) -> None:
    batch = [pool.facade.insert(pool.key(1, Name=name), pool.value(**of("ssd", 30 * MIB))) for name in "abc"]
    pool.writer.validate(batch[:2])
    with pytest.raises(
        StorageError, match="no ssd pool has room for 'c', 30 MiB: the most that one has left is 4 MiB"
    ):
        pool.writer.validate(batch)
    assert list(pool.facade.read(pool.prefix(1))) == []


@pytest.mark.parametrize("kind", ["Pool", "Namespace"])
def test_what_cannot_grow_is_refused_before_it_is_done(disks: OpenStorage, kind: str) -> None:
    more = {"Password": PASSWORD} if kind == "Namespace" else {}
    with opened(disks, kind) as storage:
        first, second = (storage.key(1, Name=name) for name in "ab")
        storage.insert(first, of("ssd", MIB, **more))
        row = storage.facade.get(first)
        too_large = [storage.facade.update(first, row, {"Size": 100 * MIB})]
        with pytest.raises(
            StorageError, match=r"pool zos-\w+ has no room for 'a' to become [\d.]+ MiB larger: it has"
        ):
            storage.writer.validate(too_large)
        both = [
            storage.facade.insert(second, storage.value(**of("ssd", 25 * MIB, **more))),
            storage.facade.update(first, row, {"Size": 40 * MIB}),
        ]
        for each in both:
            storage.writer.validate([each])
        with pytest.raises(StorageError, match="no ssd pool has room for 'b'"):
            storage.writer.validate(both)
        assert [key.Name for key, _ in storage.facade.read(storage.prefix(1))] == ["a"]


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let limits be kept as btrfs does, and return the smallest one."""
    monkeypatch.setattr(Accounting, "smallest", MIB // 2)
    monkeypatch.setattr(Accounting, "step", 4096)
    return MIB // 2


def test_what_a_limit_takes_beyond_the_size_is_looked_for_before_it_is_done(
    pool: OpenStorage, coarse: int
) -> None:
    pool.insert(pool.key(1, Name="large"), of("ssd", 64 * MIB - coarse // 2))
    small = [pool.facade.insert(pool.key(1, Name="small"), pool.value(**of("ssd", 1000)))]
    with pytest.raises(
        StorageError, match="for 'small', 1,000 B, which take 512 KiB: the most that one has left is 256 KiB"
    ):
        pool.writer.validate(small)


def test_a_size_below_what_is_kept_is_that_and_holds_as_much(pool: OpenStorage, coarse: int) -> None:
    key = pool.key(1, Name="a")
    small = [pool.facade.insert(key, pool.value(**of("ssd", 1000)))]
    pool.writer.apply_batch(small)
    row = pool.facade.get(key)
    (Path(row.Path) / "file").write_bytes(b"x" * (coarse // 2))
    pool.writer.validate(small)
    pool.writer.apply_batch(small)
    pool.update(key, row, {"Size": 4000})
    row = pool.facade.get(key)
    assert (row.Size, row.Used) == (coarse, coarse // 2)


def test_what_grows_is_not_in_the_way_of_what_is_reserved_with_it(pool: OpenStorage) -> None:
    first, second = (pool.key(1, Name=name) for name in "ab")
    pool.insert(first, of("ssd", 16 * MIB))
    batch = [
        pool.facade.insert(second, pool.value(**of("ssd", 24 * MIB))),
        pool.facade.update(first, pool.facade.get(first), {"Size": 40 * MIB}),
    ]
    pool.writer.validate(batch)
    pool.writer.apply_batch(batch)
    assert [row.Size for _, row in pool.facade.read(pool.prefix(1))] == [40 * MIB, 24 * MIB]


def test_a_password_is_changed_only_after_all_that_can_be_undone(
    namespace: OpenStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [namespace.key(1, Name=name) for name in "ab"]
    for key in keys:
        namespace.insert(key, of("ssd", MIB, Password=PASSWORD))
    node = namespace.storage._lease._node

    def failing(_id: str, *, frozen: bool) -> None:
        raise ZosError(f"its server cannot be reached ({frozen})")

    batch = [
        namespace.facade.update(keys[0], namespace.facade.get(keys[0]), {"Password": "another"}),
        namespace.facade.update(keys[1], namespace.facade.get(keys[1]), {"Frozen": True}),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(node.namespaces, "freeze", failing)
        with pytest.raises(StorageError, match="cannot be reached"):
            namespace.writer.apply_batch(batch)
    with contextlib.closing(client_of(namespace.facade.get(keys[0]))) as client:
        client.call(b"SET", b"key", b"value")


def test_a_password_that_stands_for_none_is_refused(namespace: OpenStorage) -> None:
    intent = namespace.facade.insert(
        namespace.key(1, Name="a"), namespace.value(**of("ssd", MIB, Password="*"))
    )
    with pytest.raises(StorageError, match=r"Password is '\*', which stands for none"):
        namespace.writer.validate([intent])


def test_a_row_is_not_released_and_reserved_in_one_batch(pool: OpenStorage) -> None:
    key = pool.key(1, Name="a")
    pool.insert(key, of("ssd", MIB))
    batch = [
        pool.facade.update(key, pool.facade.get(key), {"Released": True}),
        pool.facade.insert(key, pool.value(**of("ssd", MIB))),
    ]
    with pytest.raises(StorageError, match="'a' is released and reserved again in one batch"):
        pool.writer.validate(batch)


def test_a_namespace_is_changed_and_its_password_is_never_said(namespace: OpenStorage) -> None:
    key = namespace.key(1, Name="a")
    namespace.insert(key, of("ssd", MIB, Password=PASSWORD, Mode="user"))
    row = namespace.facade.get(key)
    assert (row.Password, row.Frozen, row.State) == (None, False, "ready")
    with contextlib.closing(client_of(row)) as client:
        client.call(b"SET", b"key", b"value")
    namespace.update(key, row, {"Size": 2 * MIB, "Frozen": True, "Password": "another"})
    row = namespace.facade.get(key)
    assert (row.Size, row.Frozen, row.State, row.Used) == (2 * MIB, True, "frozen", 5)
    with pytest.raises(ReplyError):
        client_of(row)
    with contextlib.closing(client_of(row, "another")) as client:
        assert client.call(b"GET", b"key") == b"value"
    namespace.update(key, row, {"Frozen": False})
    with contextlib.closing(client_of(row, "another")) as client:
        client.call(b"SET", b"key", b"other")


def test_an_intent_has_its_password_encrypted_and_each_time_differently(namespace: OpenStorage) -> None:
    key = namespace.key(1, Name="a")
    value = namespace.value(**of("ssd", MIB, Password=PASSWORD))
    intents: list[Any] = [namespace.facade.insert(key, value) for _ in range(2)]
    assert intents[0].value.Password != intents[1].value.Password
    assert all(PASSWORD not in repr(intent) for intent in intents)
    again = namespace.storage.value_to_insert(key, intents[0].value)
    assert again.Password == intents[0].value.Password
    node = namespace.storage._lease._node
    (secret,) = node.config.folder.glob("passwords.key")
    assert secret.stat().st_mode & 0o777 == 0o600
    other = Intent(namespace.key(1, Name="b"), intents[0].value, is_new=True)
    with pytest.raises(StorageError, match="another key"):
        namespace.writer.validate([other])


def test_a_disk_is_marked_and_nothing_new_comes_to_its_pool(tmp_path: Path) -> None:
    with open_storage(PROVIDERS["Disk"], config={"Size": "1 MiB"}, data_folder=tmp_path) as disks:
        ((key, disk),) = disks.facade.read(disks.prefix(7))
        assert (disk.Type, disk.State, disk.Failing, disk.PoolFree) == ("ssd", "pool", False, MIB)
        disks.update(key, disk, {"Failing": True})
        marked = disks.facade.get(key)
        assert (marked.Failing, marked.State, marked.PoolState, marked.PoolFree) == (
            True,
            "failing",
            "failing",
            0,
        )
        assert "test.Disk says so" in marked.Reason
        with (
            open_storage(PROVIDERS["Pool"], storages={"Disk": disks.storage}) as pool,
            pytest.raises(StorageError, match="no ssd pool has room for 'a', 512 KiB: none has any left"),
        ):
            pool.insert(pool.key(1, Name="a"), of("ssd", MIB // 2))
        disks.update(key, marked, {"Failing": False})
        assert disks.facade.get(key) == disk
        for changes, said in (
            ({"Type": "tape"}, "Type is 'tape', expected 'ssd' or 'hdd'"),
            ({"Type": "hdd"}, "is ssd by the node's configuration, and cannot become hdd"),
        ):
            with pytest.raises(StorageError, match=said):
                disks.update(key, disk, changes)
        with pytest.raises(StorageError, match="'/dev/none' is no disk of this node"):
            disks.update(disks.key(1, Name="/dev/none"), disk, {"Failing": True})


def test_of_a_disk_that_is_in_no_pool_the_type_is_said(tmp_path: Path) -> None:
    config = tmp_path / "zos.toml"
    config.write_text('folder = "node"\n[[plain]]\npath = "disk"\nsize = "1 MiB"\n')
    allowed = {"zos": [str(config)]}
    with open_storage(PROVIDERS["Disk"], config={"Config": str(config)}, allowances=allowed) as disks:
        ((key, disk),) = disks.facade.read(disks.prefix(1))
        assert (disk.State, disk.Pool) == ("free", "")
        for said in ("hdd", "hdd", "ssd"):
            disks.update(key, disks.facade.get(key), {"Type": said})
            told = disks.facade.get(key)
            assert (told.Type, told.State, told.Failing) == (said, "free", False)
        node = disks.storage.node
        node.disks.prepare()
        with pytest.raises(StorageError, match=r"is of pool zos-[0-9a-f]+, and keeps its type"):
            disks.update(key, disks.facade.get(key), {"Type": "hdd"})
        assert disks.facade.get(key).Type == "ssd"
    with open_storage(PROVIDERS["Disk"], config={"Config": str(config)}, allowances=allowed) as disks:
        assert disks.facade.get(key).Type == "ssd"


def test_an_update_of_the_type_keeps_a_mark_that_came_after_the_row_was_read(tmp_path: Path) -> None:
    config = tmp_path / "zos.toml"
    config.write_text('folder = "node"\n[[plain]]\npath = "disk"\nsize = "1 MiB"\n')
    allowed = {"zos": [str(config)]}
    with open_storage(PROVIDERS["Disk"], config={"Config": str(config)}, allowances=allowed) as disks:
        ((key, disk),) = disks.facade.read(disks.prefix(1))
        disks.storage.node.disks.mark(key.Name, "it is pulled")
        disks.update(key, disk, {"Type": "hdd"})
        told = disks.facade.get(key)
        assert (told.Type, told.Failing, told.Reason) == ("hdd", True, "it is pulled")
        waiting = disks.facade.update(key, disk, {"Failing": False})
        disks.writer.apply_batch([disks.facade.update(key, waiting.value, {"Type": "ssd"})])
        told = disks.facade.get(key)
        assert (told.Type, told.Failing) == ("ssd", False), "what waits is done with what comes after it"


def test_a_configuration_is_used_only_where_the_operator_allows_it(tmp_path: Path) -> None:
    config = tmp_path / "zos.toml"
    config.write_text('folder = "node"\n[[plain]]\npath = "disk"\nsize = "1 MiB"\n')
    with (
        pytest.raises(StorageError, match="may not use the node of") as refused,
        open_storage(PROVIDERS["Disk"], config={"Config": str(config)}),
    ):
        pass
    assert '"allow": {"zos": [' in str(refused.value.hint)
    allowed = {"zos": [str(config)]}
    with open_storage(PROVIDERS["Disk"], config={"Config": str(config)}, allowances=allowed) as disks:
        assert disks.storage.node.config.folder == tmp_path / "node"
        assert disks.storage.node.disks.pools() == [], "preparing stays with the operator"
    config.write_text("folder = 1")
    with (
        pytest.raises(StorageError, match=r"test\.Disk: .*says what cannot be"),
        open_storage(PROVIDERS["Disk"], config={"Config": str(config)}, allowances=allowed),
    ):
        pass
