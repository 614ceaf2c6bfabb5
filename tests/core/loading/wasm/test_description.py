from __future__ import annotations

import json

import pytest
from wasm_modules import DESCRIPTION, module, section

from statehold.loading.wasm import describe_wasm
from statehold.sdk import DataType, Operation, PluginError, Scope, Secret

STORAGE = DESCRIPTION["storages"][0]
EMPTY = b"\0asm\x01\0\0\0"


def described(**changes):
    """Describe a module whose one storage is described like this."""
    told = {**DESCRIPTION, "storages": [{**STORAGE, **changes}]}
    return describe_wasm(EMPTY + section(told), who="it").storages["Thing"]


def refused(data):
    with pytest.raises(PluginError) as caught:
        describe_wasm(data, who="it")
    return str(caught.value)


def test_a_module_says_which_storages_it_has_without_being_run():
    found = describe_wasm(module({"statehold_abi": "unreachable"}), who="it")
    assert (found.name, found.version, list(found.storages)) == ("things", "1", ["Thing"])
    thing = found.storages["Thing"]
    assert thing.index == 0
    assert thing.contract.operations[Operation.READ] == frozenset(Scope)
    assert [(field.name, field.type, field.required) for field in thing.key] == [("Id", DataType.INT64, True)]


def test_operations_may_have_scopes():
    found = described(operations={"GET": ["COMMANDS", "JOBS"]})
    assert found.contract.operations == {Operation.GET: frozenset({Scope.COMMANDS, Scope.JOBS})}


def test_texts_and_bytes_may_have_a_length():
    assert described(value=["Note text(40)", "Raw bytes(8) NOT NULL"]).value[0].max_length == 40


def test_a_config_may_have_secrets():
    config = described(config=["Url text NOT NULL", "Password secret"]).config
    assert config.__annotations__["Password"] == Secret | None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"key": ["Id int63"]}, "'Id int63' has no type that there is: int8, int16"),
        ({"key": ["Id"]}, "'Id' is no field: write it as a declaration does"),
        ({"key": ["Id int64", "Id text"]}, "it has the field 'Id' twice"),
        ({"key": ["WSID int64"]}, "it has the field 'WSID' twice"),
        ({"value": ["Id int64(4)"]}, "has a length, which only text and bytes have"),
        ({"value": ["Id object"]}, "has no type that there is"),
        ({"config": ["A text", "A int32"]}, "it has the field 'A' twice"),
        ({"operations": []}, "it has no operation"),
        ({"operations": ["PUT"]}, "PUT"),
        ({"operations": {"GET": ["NOBODY"]}}, "NOBODY"),
        ({"name": "9"}, "storages[0].name"),
        ({"name": "a" * 256}, "storages[0].name"),
        ({"colour": "red"}, "colour"),
        ({"key": 5}, "storages[0].key"),
        ({"name": "Thing\n"}, "storages[0].name"),
        ({"description": "\x1b[2J"}, "storages[0].description"),
        ({"secrets": ["To\0ken"]}, "storages[0].secrets"),
        ({"key": ["I\0d int64"]}, "storage Thing"),
        ({"config": ["I\x1bd int64"]}, "storage Thing"),
    ],
)
def test_a_description_that_means_nothing_is_refused(changes, problem):
    with pytest.raises(PluginError) as caught:
        described(**changes)
    assert "it has a description that cannot be read: " in str(caught.value)
    assert problem in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 60_000, "cannot be read"),
        (b'{"abi": 2}', "speaks version 2 of the ABI, and this host speaks 1"),
        (b'{"abi": "1"}', "cannot be read"),
        ({**DESCRIPTION, "storages": []}, "cannot be read"),
        ({**DESCRIPTION, "storages": [STORAGE, STORAGE]}, "it has two storages called Thing"),
        ({**DESCRIPTION, "name": "no name"}, "cannot be read"),
    ],
    ids=range(9),
)
def test_a_section_that_describes_nothing_is_refused(content, problem):
    assert problem in refused(EMPTY + section(content))


def test_a_description_that_is_huge_is_not_read():
    told = json.dumps({**DESCRIPTION, "version": "1" * 70_000}).encode()
    assert "one custom section 'statehold' of up to 65536 bytes, got one of 7" in refused(
        EMPTY + section(told)
    )


def test_a_module_describes_itself_once():
    assert "got 0 of them" in refused(module(description=None))
    assert "got 2 of them" in refused(module() + section(DESCRIPTION))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "it is no WebAssembly module"),
        (b"\0asm\x02\0\0\0", "it is no WebAssembly module"),
        (EMPTY + b"\0", "a number in it has no end"),
        (EMPTY + b"\0\x80\x80\x80\x80\x80\x01", "a number in it has no end"),
        (EMPTY + b"\0\xff\xff\xff\xff\x0f", "a section goes past its end"),
        (EMPTY + b"\0\x02\x7fa", "the name of a section goes past its end"),
    ],
)
def test_a_file_that_is_damaged_is_told(data, problem):
    assert f"it is damaged: {problem}" in refused(data)
