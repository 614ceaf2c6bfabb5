from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from qsfs_stores_of_files import Store, dump, read, write

from statehold_qsfs.files import BLOCK, FileSystem, FileSystemOptions, QsfsError, Report
from statehold_qsfs.files._layout import block_key, bucket_key, decode_node, encode, node_key, page_key
from statehold_zdb.engine import Namespace, ZdbReadError


def filled(store: Store) -> dict[str, int]:
    files = store.open()
    files.mkdir("/d", 0o755)
    write(files, "/d/large", b"x" * 3 * BLOCK)
    write(files, "/d/small", b"small")
    files.link("/d/small", "/other")
    files.mkdir("/d/empty", 0o755)
    found = {path: files.getattr(path).ino for path in dump(files)}
    files.close()
    store.files = None
    return found


def damaged(store: Store, act: Callable[[Namespace, Namespace], object], *, deep: bool = False) -> Report:
    """Do something to what is stored, and return what a check says of it."""
    assert store.engine is not None
    act(store.engine["qsfs-meta"], store.engine["qsfs-data"])
    return store.open().check(deep=deep)


def is_mended(store: Store) -> FileSystem:
    assert store.files is not None
    report = store.files.check(repair=True)
    assert report.repaired
    report = store.files.check(deep=True)
    assert not report.problems, report
    files = store.reopen()
    report = files.check(deep=True)
    assert not report.problems, report
    return files


def test_a_sound_filesystem_is_found_so(store: Store) -> None:
    filled(store)
    report = damaged(store, lambda meta, data: None, deep=True)
    assert report.sound
    assert (report.files, report.directories, report.blocks) == (5, 3, 3)
    assert report.bytes == 3 * BLOCK + 5


def test_blocks_that_are_not_there_are_counted(store: Store) -> None:
    filled(store)
    report = damaged(store, lambda meta, data: data.delete(block_key(1)))
    assert (report.missing_blocks, report.sound) == (1, False)
    assert "block 1" in report.problems[0]
    assert store.files is not None
    handle = store.files.open("/d/large", os.O_RDONLY)
    with pytest.raises(OSError, match="is not there"):
        store.files.read(handle, 10, BLOCK)
    assert store.files.read(handle, 10, 0) == b"x" * 10


def test_blocks_that_are_damaged_are_counted_by_a_deep_check(store: Store) -> None:
    filled(store)

    def damage(_: Namespace, data: Namespace) -> None:
        with open(data.figures().active_data, "r+b") as file:  # noqa: PTH123
            file.seek(BLOCK + BLOCK // 2)
            file.write(b"?")

    report = damaged(store, damage, deep=True)
    assert (report.damaged_blocks, report.sound) == (1, False)
    assert store.files is not None
    handle = store.files.open("/d/large", os.O_RDONLY)
    with pytest.raises(OSError, match="not what was written"):
        store.files.read(handle, 3 * BLOCK, 0)


def test_blocks_that_nobody_uses_are_counted_and_deleted(store: Store) -> None:
    found = filled(store)
    page = page_key(found["/d/large"], 0)

    def forget(meta: Namespace, _: Namespace) -> None:
        record = decode_node(meta.get(node_key(found["/d/large"])))
        record.runs = []
        meta.set(node_key(found["/d/large"]), encode(record))
        meta.delete(page)

    report = damaged(store, forget)
    assert (report.unused_blocks, report.sound) == (3, True)
    files = is_mended(store)
    files.compact()
    assert files.check().unused_blocks == 0
    assert read(files, "/d/large") == bytes(3 * BLOCK)


def test_a_map_that_is_not_there_is_missing_blocks(store: Store) -> None:
    found = filled(store)
    report = damaged(store, lambda meta, data: meta.delete(page_key(found["/d/large"], 0)))
    assert (report.missing_blocks, report.unused_blocks) == (16, 3)
    assert store.files is not None
    handle = store.files.open("/d/large", os.O_RDONLY)
    with pytest.raises(OSError, match="no record"):
        store.files.read(handle, 10, 0)


def test_names_without_a_file_are_counted_and_taken_away(store: Store) -> None:
    found = filled(store)
    report = damaged(store, lambda meta, data: meta.delete(node_key(found["/other"])))
    assert (report.dangling, report.wrong_totals, report.sound) == (2, True, False)
    files = is_mended(store)
    assert sorted(entry.name for entry in files.list("/d")) == ["empty", "large"]


def test_files_that_no_directory_has_come_into_lost_and_found(store: Store) -> None:
    found = filled(store)

    def forget(meta: Namespace, _: Namespace) -> None:
        meta.delete(node_key(found["/d"]))
        meta.delete(bucket_key(found["/d"], 0))

    report = damaged(store, forget)
    assert (report.unreachable, report.dangling) == (2, 1)
    files = is_mended(store)
    assert sorted(entry.name for entry in files.list("/lost+found")) == sorted(
        f"#{found[name]}" for name in ("/d/large", "/d/empty")
    )
    assert read(files, f"/lost+found/#{found['/d/large']}") == b"x" * 3 * BLOCK
    assert read(files, "/other") == b"small"


def test_counts_that_are_wrong_are_set_right(store: Store) -> None:
    found = filled(store)

    def change(meta: Namespace, _: Namespace) -> None:
        for path in ("/d", "/other"):
            record = decode_node(meta.get(node_key(found[path])))
            record.nlink += 5
            record.stored += 1000
            meta.set(node_key(found[path]), encode(record))

    report = damaged(store, change)
    assert (report.wrong_links, report.wrong_totals) == (2, True)
    files = is_mended(store)
    assert (files.getattr("/d").nlink, files.getattr("/other").nlink) == (3, 2)


def test_records_that_are_of_nothing_are_removed(store: Store) -> None:
    filled(store)

    def add(meta: Namespace, _: Namespace) -> None:
        meta.set(b"what is this", b"?")
        meta.set(page_key(999, 0), meta.get(page_key(*next(pages(meta)))))
        meta.set(bucket_key(999, 0), encode([0, {b"name": 2 << 4}]))

    def pages(meta: Namespace) -> object:
        return ((int.from_bytes(k[1:9]), int.from_bytes(k[9:])) for k in meta.keys() if k[:1] == b"m")  # noqa: SIM118

    report = damaged(store, add)
    assert len(report.problems) == 3
    is_mended(store)


def test_records_that_cannot_be_understood_are_told(store: Store) -> None:
    found = filled(store)
    report = damaged(store, lambda meta, data: meta.set(node_key(found["/other"]), b"\xc1"))
    assert report.damaged_records == 1
    assert store.files is not None
    with pytest.raises(OSError, match="understood"):
        store.files.getattr("/other")


@pytest.mark.parametrize("which", ["file", "map", "names"])
def test_nothing_is_deleted_because_a_record_cannot_be_read_for_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    found = filled(store)
    large, folder = found["/d/large"], found["/d"]
    unread = {"file": node_key(large), "map": page_key(large, 0), "names": bucket_key(folder, 0)}[which]
    files = store.open()
    before = dump(files)
    files = store.reopen()
    get = Namespace.get

    def refusing(self: Namespace, key: bytes) -> bytes | None:
        if key == unread:
            raise ZdbReadError("the disk does not answer")
        return get(self, key)

    with monkeypatch.context() as patched:
        patched.setattr(Namespace, "get", refusing)
        report = files.check(repair=True)
    assert (report.damaged_records > 0, report.repaired) == (True, 0)
    assert "nothing is mended" in report.problems[0]
    files.compact()
    files = store.reopen()
    assert files.check(deep=True).sound
    assert dump(files) == before


def test_a_check_looks_at_what_was_done_until_then(files: FileSystem) -> None:
    write(files, "/a", b"x" * BLOCK)
    files.unlink("/a")
    write(files, "/b", b"x" * BLOCK)
    report = files.check(deep=True)
    assert (report.problems, report.blocks, report.files) == ([], 1, 2)


def test_namespaces_of_something_else_are_not_opened(store: Store) -> None:
    filled(store)
    assert store.engine is not None
    meta = store.engine["qsfs-meta"]
    state = meta.get(b"S")
    for key, payload, text in (
        (b"S", None, "no filesystem"),
        (b"S", b"\xc1", "none that is understood"),
        (b"S", encode([99, 0, 0, 0, 0, 0, [], [], 0, []]), "version 99"),
    ):
        meta.write([(key, payload)])
        with pytest.raises(QsfsError, match=text):
            store.open()
    meta.set(b"S", state)
    store.open()
    store.engine.create("other-meta")
    store.engine.create("other-data")
    with pytest.raises(QsfsError, match="mode user"):
        FileSystem(store.engine, name="other")
    with pytest.raises(QsfsError, match="no namespace"):
        FileSystem(store.engine, name="nothing", options=FileSystemOptions(read_only=True))


def test_what_is_read_only_is_read_and_not_changed(store: Store) -> None:
    filled(store)
    files = store.open(read_only=True)
    assert read(files, "/other") == b"small"
    assert files.check(deep=True).sound
    for act in (lambda: files.mkdir("/x", 0o755), lambda: files.check(repair=True), files.compact):
        with pytest.raises(OSError, match="Read-only"):
            act()


def test_blocks_are_never_given_a_number_that_metadata_know(store: Store) -> None:
    """As when the data of a machine that was lost are older than its metadata."""
    filled(store)
    assert store.engine is not None
    data = store.engine["qsfs-data"]
    data.clear()
    assert data.figures().next_id == 0
    files = store.open()
    write(files, "/new", b"n" * 2 * BLOCK)
    files.sync()
    report = files.check()
    assert (report.missing_blocks, report.blocks) == (3, 5)
    assert read(files, "/new") == b"n" * 2 * BLOCK
    handle = files.open("/d/large", os.O_RDONLY)
    with pytest.raises(OSError, match="is not there"):
        files.read(handle, 10, 0)


@pytest.mark.parametrize("wrong", [{"flush_every": 0.0}, {"quota": -1}, {"dirty_limit": -1}])
def test_options_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(QsfsError, match="expected"):
        FileSystemOptions(**wrong)


def test_namespaces_have_one_filesystem_at_a_time_or_several_that_only_read(store: Store) -> None:
    filled(store)
    files = store.open()
    for read_only in (False, True):
        with pytest.raises(QsfsError, match="is open already"):
            FileSystem(store.engine, options=FileSystemOptions(read_only=read_only))
    assert files.check(deep=True).sound
    files.close()
    read_only = FileSystemOptions(read_only=True)
    with FileSystem(store.engine, options=read_only), FileSystem(store.engine, options=read_only) as second:
        assert read(second, "/other") == b"small"
    assert read(store.open(), "/other") == b"small"
