"""Fields of type blob: their contents, their rights, and what is left of one that was never finished."""

from __future__ import annotations

import logging

from statehold.rows import Put
from statehold.serving import Server
from statehold.serving._orphans import BlobNote, Orphans


def test_a_blob_is_stored_and_read_again(served):
    made = served.system.post(served.at("docs/cafe.Dish"), json={"sys.ID": 1, "Code": "pie", "Price": 1})
    record = made.json()["newIDs"]["1"]
    path = served.at(f"docs/cafe.Dish/{record}/blobs/Photo")
    assert served.system.get(path).status_code == 404
    for content in (b"", b"photo" * 200_000, b"other"):
        stored = served.system.put(path, content=content, headers={"Content-Type": "image/png"})
        assert (stored.status_code, stored.json()["size"]) == (200, len(content))
        found = served.system.get(path)
        assert found.content == content
        assert found.headers["content-type"] == "image/png"
        assert found.headers["content-length"] == str(len(content))
        assert found.headers["x-content-type-options"] == "nosniff"
    dish = served.system.get(served.at(f"docs/cafe.Dish/{record}")).json()
    assert dish["Photo"] == stored.json()["blobID"]


def test_a_blob_that_is_replaced_leaves_nothing_behind(served):
    made = served.system.post(served.at("docs/cafe.Dish"), json={"sys.ID": 1, "Code": "ham", "Price": 1})
    path = served.at(f"docs/cafe.Dish/{made.json()['newIDs']['1']}/blobs/Photo")
    first, _ = (served.system.put(path, content=b"x" * 600_000).json()["blobID"] for _ in range(2))
    store = served.host.app("acme.cafe").data.store
    assert not list(store.read(("blob", served.workspace, first)))


def test_a_blob_has_the_rights_of_its_field(served):
    made = served.system.post(served.at("docs/cafe.Dish"), json={"sys.ID": 1, "Code": "egg", "Price": 1})
    path = served.at(f"docs/cafe.Dish/{made.json()['newIDs']['1']}/blobs/Photo")
    waiter, cook = served.of("cafe.Waiter"), served.of("cafe.Cook")
    assert waiter.put(path, content=b"x").status_code == 403
    assert cook.put(path, content=b"x").status_code == 200
    assert waiter.get(path).status_code == 403
    assert cook.get(path).content == b"x"
    wrong = cook.get(path.replace("Photo", "Code"))
    assert (wrong.status_code, "blob" in wrong.json()["message"]) == (400, True)


def test_a_blob_that_a_server_left_half_written_is_taken_away_by_the_next_one(served):
    made = served.system.post(served.at("docs/cafe.Dish"), json={"sys.ID": 1, "Code": "tea", "Price": 1})
    record = made.json()["newIDs"]["1"]
    path = served.at(f"docs/cafe.Dish/{record}/blobs/Photo")
    held = served.system.put(path, content=b"x" * 600_000).json()["blobID"]
    store, workspace = served.host.app("acme.cafe").data.store, served.workspace
    assert not list(store.read(("blobs",)))

    # As if it had ended: while it wrote; before it set the field; before it took the one before away.
    orphans = Orphans(logging.getLogger("statehold.serving"))
    for blob, before in ((11, 0), (12, held), (held, 13)):
        note = orphans.begin(workspace, blob, BlobNote("cafe.Dish", record, "Photo", before))
        store.write([note])
    store.write([Put(("blob", workspace, blob), (1,), b"x" * 200_000) for blob in (11, 12, 13)])
    orphans.sweep(served.host.app("acme.cafe"))
    assert len(list(store.read(("blobs",)))) == 3  # not what it is writing itself

    with Server(served.host, served.runtime, tokens=served.tokens, data_folder=served.folder):
        pass
    assert not list(store.read(("blobs",)))
    assert [bool(list(store.read(("blob", workspace, blob)))) for blob in (11, 12, 13, held)] == [
        *(False, False, False),
        True,
    ]
    assert len(served.system.get(path).content) == 600_000


def test_a_blob_that_is_refused_half_way_leaves_nothing_behind(make_cafe):
    served = make_cafe()
    made = served.system.post(served.at("docs/cafe.Dish"), json={"sys.ID": 1, "Code": "rum", "Price": 1})
    path = served.at(f"docs/cafe.Dish/{made.json()['newIDs']['1']}/blobs/Photo")
    assert served.of("cafe.Waiter").put(path, content=b"x" * 600_000).status_code == 403
    too_long = served.system.put(path, content=(b"x" * 1_000_000 for _ in range(101)))
    assert too_long.status_code == 413
    served.server.stop()
    store = served.host.app("acme.cafe").data.store
    assert not list(store.read(("blobs",)))
