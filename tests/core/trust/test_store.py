from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from statehold.trust import (
    OwnerTrust,
    Rule,
    SigningKey,
    TrustedKey,
    TrustError,
    TrustStore,
    change_store,
    read_store,
)


def test_a_store_that_was_written_is_read_as_it_was(tmp_path: Path, key: SigningKey) -> None:
    trusted = TrustedKey(public=key.public, comment="release, 2026", expires=2e9, revoked=1e9)
    store = TrustStore(unsigned=Rule.ISOLATED).with_key("acme", trusted)
    store = store.with_owner("lab", OwnerTrust(unsigned=Rule.REFUSE))
    assert change_store(tmp_path / "trust.json", lambda _: store) == store
    assert read_store(tmp_path / "trust.json") == store


def test_a_new_store_takes_no_unsigned_image(tmp_path: Path) -> None:
    assert change_store(tmp_path / "trust.json", lambda store: store).rule("anybody") is Rule.REFUSE


def test_a_store_that_cannot_be_read_is_an_error(tmp_path: Path, store: Path) -> None:
    link = tmp_path / "dangling.json"
    link.symlink_to(tmp_path / "gone.json")
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    for path in (tmp_path / "missing.json", tmp_path, link, pipe):
        with pytest.raises(TrustError, match="the trust store"):
            read_store(path)


def test_a_store_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "trust.json"
    change_store(store, lambda found: found)
    if os.geteuid() == 0:
        os.chown(store, 12_345, -1)
        owner = 12_345
    else:
        owner = os.geteuid()
        monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    with pytest.raises(TrustError, match=rf"belongs to another user \(uid {owner}\), who may write to it"):
        read_store(store)
    monkeypatch.setattr("os.geteuid", lambda: owner)
    assert read_store(store) == TrustStore()


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_store_that_others_may_write_is_an_error(store: Path, mode: int) -> None:
    store.chmod(mode)
    with pytest.raises(TrustError, match="may be written by others"):
        read_store(store)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": None},
        {"format": 2},
        {"unsigned": "allow"},
        {"unsigned": None},
        {"owners": None},
        {"owners": {"acme": None}},
        {"owners": {"acme": {"keys": None}}},
        {"owners": {"acme": {"unsigned": "any"}}},
        {"owners": {"acme": {"unsinged": "refuse"}}},
        {"more": 1},
    ],
    ids=json.dumps,
)
def test_a_store_with_anything_strange_in_it_is_an_error(store: Path, changes: dict[str, Any]) -> None:
    store.write_text(json.dumps({**json.loads(store.read_text()), **changes}))
    with pytest.raises(TrustError, match="is of no use"):
        read_store(store)


@pytest.mark.parametrize(
    "changes",
    [
        {"public": ""},
        {"public": None},
        {"public": "AAAA"},
        {"revoked": None},
        {"revoked": ""},
        {"revoked": True},
        {"expires": "soon"},
        {"expires": "2027-01-31T12:00:00"},
        {"revokd": "2027-01-31T12:00:00+00:00"},
        {"comment": 1},
    ],
    ids=json.dumps,
)
def test_a_store_with_anything_strange_about_a_key_is_an_error(
    store: Path, key: SigningKey, changes: dict[str, Any]
) -> None:
    content = json.loads(store.read_text())
    content["owners"]["acme"]["keys"][key.public.id].update(changes)
    store.write_text(json.dumps(content))
    with pytest.raises(TrustError, match="is of no use"):
        read_store(store)


def test_a_key_under_the_id_of_another_one_is_an_error(store: Path, key: SigningKey) -> None:
    content = json.loads(store.read_text())
    keys = content["owners"]["acme"]["keys"]
    keys["0" * 32] = keys.pop(key.public.id)
    store.write_text(json.dumps(content))
    with pytest.raises(TrustError, match="the key there has the id"):
        read_store(store)


def test_a_change_that_fails_changes_nothing(store: Path) -> None:
    before = store.read_bytes()

    def fail(_: TrustStore) -> TrustStore:
        raise TrustError("no")

    with pytest.raises(TrustError, match="no"):
        change_store(store, fail)
    assert store.read_bytes() == before
    assert [path.name for path in store.parent.iterdir()] == [store.name]


def test_changes_at_the_same_time_are_all_kept(store: Path) -> None:
    keys = [SigningKey.generate().public for _ in range(8)]
    threads = [
        threading.Thread(
            target=change_store,
            args=(store, lambda store, key=key: store.with_key("acme", TrustedKey(public=key))),
        )
        for key in keys
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.id for key in keys} < set(read_store(store).keys("acme"))
