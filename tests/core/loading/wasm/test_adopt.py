"""What one version of a storage gets of the rows of the one before."""

from __future__ import annotations

import pytest
from wasm_modules import DESCRIPTION, answer, packed

from statehold.loading.wasm import WasmError
from statehold.sdk import IWithResume, StorageError

STORAGE = DESCRIPTION["storages"][0]
#: Keeps what it was given to adopt at 8192, and its length at 8188.
KEEP = """(i32.store (i32.const 8188) (local.get 1))
  (memory.copy (i32.const 8192) (local.get 0) (local.get 1)) (i64.const 0)"""


def described(**changes):
    return {**DESCRIPTION, "storages": [{**STORAGE, **changes}]}


def adopted(one):
    memory = one.storage._instance.imports.memory
    return memory.read(8192, int.from_bytes(memory.read(8188, 4), "little"))


def test_the_rows_of_the_version_before_are_given_to_the_new_one(opened):
    old = opened()
    new = opened({"statehold_adopt": KEEP}, context={"existing": old.storage})
    # Two rows: [key, value] each.
    assert adopted(new) == b"\x92\x92\x92\x01\x01\x92\x07\xa5seven\x92\x92\x01\x02\x92\x08\xc0"


def test_a_version_that_was_kept_is_given_the_rows_of_the_one_that_was_current_meanwhile(opened):
    kept = opened({"statehold_adopt": KEEP})
    assert adopted(kept) == b""
    kept.storage.resume(opened().storage)
    assert adopted(kept) == b"\x92\x92\x92\x01\x01\x92\x07\xa5seven\x92\x92\x01\x02\x92\x08\xc0"


def test_a_module_that_adopts_nothing_cannot_resume(opened):
    assert not isinstance(opened({"statehold_adopt": None}).storage, IWithResume)
    assert isinstance(opened({"statehold_adopt": KEEP}).storage, IWithResume)


def test_an_instance_that_was_replaced_has_begun_another_life(opened):
    one = opened({"statehold_get": "unreachable"})
    before = one.storage.life
    with pytest.raises(WasmError):
        one.facade.get(one.key(1, Id=1))
    assert one.storage.life != before


def test_a_row_is_given_with_the_fields_of_the_new_version(opened):
    old = opened()
    fields = ["Colour text", "Text text"]
    value = {"value": packed(["red", "a"])}
    new = opened(
        {"statehold_adopt": KEEP, "statehold_get": value["value"]},
        description=described(value=fields),
        context={"existing": old.storage},
    )
    assert adopted(new) == b"\x92\x92\x92\x01\x01\x92\xc0\xa5seven\x92\x92\x01\x02\x92\xc0\xc0"


def test_rows_with_another_key_have_no_place_and_that_is_told(opened, caplog):
    old = opened()
    new = opened(
        {"statehold_adopt": KEEP},
        description=described(key=["Id text NOT NULL"]),
        context={"existing": old.storage},
    )
    assert adopted(new) == b""
    assert "begins without the rows of the version before: its KEY is another one" in caplog.text


@pytest.mark.parametrize("which", ["old", "new"])
def test_a_version_that_gives_or_takes_no_rows_begins_without(opened, which):
    reads = ("statehold_read", "statehold_next", "statehold_end")
    old = (
        opened(dict.fromkeys(reads), description=described(operations=["GET", "GETBATCH", "INSERT"]))
        if which == "old"
        else opened()
    )
    new = opened({"statehold_adopt": KEEP if which == "old" else None}, context={"existing": old.storage})
    assert adopted(new) == b""


def test_many_rows_are_given_in_pieces(opened):
    rows = packed([[[1, number], [1, None]] for number in range(300)])
    first = f"(global.set $given (i32.const 1)) {rows}"
    once = f"(if (result i64) (global.get $given) (then i64.const 0) (else {first}))"
    old = opened({"statehold_next": once}, deadline=4)
    new = opened({"statehold_adopt": KEEP}, context={"existing": old.storage}, deadline=4)
    # The last of two pieces: 44 rows.
    assert adopted(new)[:3] == b"\xdc\x00\x2c"


def test_a_version_that_refuses_a_row_is_not_opened_and_the_old_one_goes_on(opened):
    old = opened()
    with pytest.raises(StorageError, match=r"test\.Thing: too heavy"):
        opened({"statehold_adopt": packed("too heavy")}, context={"existing": old.storage})
    assert old.facade.get(old.key(1, Id=1)).Count == 7


@pytest.mark.parametrize("code", ["unreachable", answer(b"\xc1")])
def test_a_version_that_fails_to_take_a_row_is_not_opened(opened, code):
    old = opened()
    with pytest.raises(WasmError, match="its export statehold_adopt"):
        opened({"statehold_adopt": code}, context={"existing": old.storage})
    assert old.facade.get(old.key(1, Id=1)).Count == 7


def test_a_version_before_that_fails_to_give_its_rows_is_told(opened):
    old = opened({"statehold_next": "unreachable"})
    with pytest.raises(WasmError, match="its export statehold_next trapped"):
        opened(context={"existing": old.storage})
