from __future__ import annotations

import pytest
from wasm_modules import DESCRIPTION, module, packed

from statehold.loading.wasm import WasmError, WasmLimits, load_wasm
from statehold.sdk import FreedError, PluginError, Secret
from statehold.testing import open_storage

STORAGE = DESCRIPTION["storages"][0]


def test_what_is_freed_leaves_nothing(load):
    plugin = load()
    with open_storage(plugin.providers["Thing"]) as one:
        assert one.facade.get(one.key(1, Id=1)).Count == 7
    report = plugin.free()
    assert report.modules == ("things.wasm",)
    assert report.problems == ()
    assert report.survivors == ()
    assert plugin.free() is report
    with pytest.raises(FreedError, match=r"module things 1 \(things\.wasm\) of acme\.app 1 has been freed"):
        plugin.providers  # noqa: B018 - raises


def test_a_plugin_that_is_forgotten_is_told(tmp_path):
    path = tmp_path / "things.wasm"
    path.write_bytes(module())
    plugin = load_wasm(path, owner="acme.app 1")
    runtime = plugin._runtime
    plugins = [plugin]
    del plugin
    with pytest.warns(ResourceWarning, match="was never freed: its thread goes on"):
        plugins.clear()
    runtime.end()


def test_a_storage_that_has_been_freed_answers_no_more(opened):
    one = opened()
    key, value = one.key(1, Id=1), {"Count": 1}
    reading = one.facade.read(one.prefix(1))
    next(reading)
    one.storage.free()
    for call in (
        lambda: one.facade.get(key),
        lambda: one.writer.apply_batch([one.facade.insert(key, value)]),
        one.storage.probe,
    ):
        with pytest.raises(FreedError, match=r"test\.Thing has been freed"):
            call()
    with pytest.raises(FreedError):
        list(reading)
    one.storage.free()


def test_a_storage_may_have_limits_of_its_own(load):
    plugin = load({"statehold_get": "(loop $again (br $again)) unreachable"})
    provider = plugin.limited("Thing", WasmLimits(deadline=0.05))
    with (
        open_storage(provider) as one,
        pytest.raises(WasmError, match=r"computed for more than 0\.05 s"),
    ):
        one.facade.get(one.key(1, Id=1))


def test_each_storage_of_a_module_knows_which_one_it_is(load):
    described = {**DESCRIPTION, "storages": [STORAGE, {**STORAGE, "name": "Other"}]}
    keep = "(i32.store (i32.const 8188) (local.get 0)) (i64.const 0)"
    plugin = load({"statehold_open": keep}, description=described)
    for name, index in (("Thing", 0), ("Other", 1)):
        with open_storage(plugin.providers[name]) as one:
            found = one.storage._instance.imports.memory.read(8188, 4)
            assert int.from_bytes(found, "little") == index


def test_a_module_gets_where_it_is_its_config_and_the_secrets_it_asks_for(load):
    described = {
        **DESCRIPTION,
        "storages": [{**STORAGE, "config": ["Size int32", "Word secret"], "secrets": ["url"]}],
    }
    keep = """(i32.store (i32.const 8188) (local.get 2))
      (memory.copy (i32.const 8192) (local.get 1) (local.get 2)) (i64.const 0)"""
    plugin = load({"statehold_open": keep}, description=described)
    with open_storage(
        plugin.providers["Thing"],
        config={"Size": 5, "Word": "open"},
        secrets={"url": Secret("https"), "other": Secret("hidden")},
        partition=3,
    ) as one:
        memory = one.storage._instance.imports.memory
        given = memory.read(8192, int.from_bytes(memory.read(8188, 4), "little"))
    assert given.startswith(b"\x96\xaatest.Thing")
    assert given.endswith(b"\x03\x92\x05\xa4open\x91\xa5https")
    assert b"hidden" not in given


def test_a_secret_that_the_package_does_not_have_is_told(load):
    plugin = load(description={**DESCRIPTION, "storages": [{**STORAGE, "secrets": ["url"]}]})
    with (
        pytest.raises(PluginError, match="asks for secrets that its package does not have: url"),
        open_storage(plugin.providers["Thing"]),
    ):
        pass


def test_a_module_of_another_abi_than_it_says_is_not_opened(opened):
    with pytest.raises(
        WasmError, match="says that it speaks version 3 of the ABI, and its description says 1"
    ):
        opened({"statehold_abi": "i32.const 3"})


def test_a_probe_that_refuses_is_told(opened):
    one = opened({"statehold_probe": packed("not today")})
    with pytest.raises(Exception, match=r"test\.Thing: not today"):
        one.storage.probe()


def test_a_module_need_not_export_what_is_optional(opened):
    optional = ("statehold_validate", "statehold_probe", "statehold_adopt", "statehold_close")
    one = opened(dict.fromkeys(optional))
    assert not hasattr(one.storage, "probe")
    one.writer.validate([one.facade.insert(one.key(1, Id=1), {"Count": 1})])
    one.storage.free()
