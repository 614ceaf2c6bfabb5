from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.images import (
    Descriptor,
    ExtensionSettings,
    Isolation,
    StorageSettings,
    open_image,
    read_descriptor,
)
from statehold.sdk import DescriptorError, ImageError, Operation, Scope


def refusal(content: object) -> str:
    with pytest.raises(DescriptorError) as caught:
        read_descriptor(content if isinstance(content, str | bytes) else json.dumps(content))
    return str(caught.value)


def test_an_empty_descriptor_has_the_defaults() -> None:
    assert read_descriptor("{}") == Descriptor()
    assert (Descriptor().num_parts, Descriptor().engine_pool_size) == (1, (10, 10, 10, 1))


def test_a_voedger_descriptor_is_read() -> None:
    assert read_descriptor('{"NumParts":3,"EnginePoolSize":[1,2,3,0],"NumAppWorkspaces":7}') == Descriptor(
        num_parts=3, engine_pool_size=(1, 2, 3, 0), num_app_workspaces=7
    )


def test_the_whole_of_a_descriptor_is_read() -> None:
    descriptor = read_descriptor(
        json.dumps(
            {
                "Version": "1.2-rc.1",
                "PackageParams": {"bills": {"Url": "x", "Size": 5, "On": True, "Rate": 0.5}},
                "Storages": {
                    "bills.Scada": {
                        "isolation": "sidecar",
                        "limits": {"memory_mib": 64, "seconds": 0.5},
                        "scopes": {"INSERT": ["JOBS"], "get": ["command", "Queries"]},
                        "allow": {"network": ["127.0.0.1", "10.0.0.0/8"], "debug": True},
                        "version": "1",
                    },
                    "bills.Orders": {},
                },
                "Extensions": {
                    "bills": {"limits": {"memory_mib": 32, "seconds": {"job": 600, "Queries": 0.5}}},
                    "shop": {"limits": {"seconds": 2}},
                },
            }
        )
    )
    assert descriptor.extensions == {
        "bills": ExtensionSettings(memory_mib=32, seconds={Scope.JOBS: 600, Scope.QUERIES: 0.5}),
        "shop": ExtensionSettings(seconds=dict.fromkeys(Scope, 2)),
    }
    assert descriptor.version == "1.2-rc.1"
    assert descriptor.package_params == {"bills": {"Url": "x", "Size": 5, "On": True, "Rate": 0.5}}
    assert descriptor.storages == {
        "bills.Scada": StorageSettings(
            isolation=Isolation.SIDECAR,
            limits={"memory_mib": 64, "seconds": 0.5},
            scopes={
                Operation.INSERT: frozenset({Scope.JOBS}),
                Operation.GET: frozenset({Scope.COMMANDS, Scope.QUERIES}),
            },
            allow={"network": ("127.0.0.1", "10.0.0.0/8"), "debug": True},
            version="1",
        ),
        "bills.Orders": StorageSettings(),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1, column 1"),
        ('{\n  "NumParts": one}', "line 2, column 15"),
        ('{"NumParts": 1, "NumParts": 2}', "'NumParts' is given twice"),
        ('{"Storages": {"a.B": {}, "a.B": {}}}', "'a.B' is given twice"),
        ("[]", "expected a JSON object, got a list"),
        (b"\xff\xfe", "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ({"NumPart": 1}, "unknown key 'NumPart' (did you mean 'NumParts'?)"),
        ({"numparts": 1}, "did you mean 'NumParts'?"),
        ({"NumParts": "1"}, "NumParts: expected an integer from 1 to 65535, got text"),
        ({"NumParts": True}, "got true or false"),
        ({"NumParts": 1.0}, "got a number"),
        ({"NumParts": None}, "got null"),
        ({"NumParts": 0}, "expected 1 to 65535, got 0"),
        ({"NumAppWorkspaces": 10**30}, "expected 1 to 65535, got more"),
        ({"EnginePoolSize": [1, 2, 3]}, "a list of 4 integers from 0 to 65535, got a list of 3"),
        ({"EnginePoolSize": [1, 2, 3, True]}, "a list of 4 integers"),
        ({"EnginePoolSize": [1, 2, 3, -1]}, "a list of 4 integers"),
        ({"EnginePoolSize": 10}, "got an integer"),
        ({"Version": "../x"}, "'../x' is no version name"),
        ({"Version": 1}, "Version: expected text, got an integer (put it in quotes)"),
        ({"Version": None}, "Version: expected text, got null"),
        ({"PackageParams": []}, "PackageParams: expected an object, got a list"),
        ({"PackageParams": {"a": 1}}, "PackageParams.a: expected an object"),
        ({"PackageParams": {"a": {"b": []}}}, "PackageParams.a.b: expected text, a number, true or false"),
        ({"PackageParams": {"a": {"b": None}}}, "got null"),
        ({"Extensions": {"a": 1}}, 'Extensions.a: expected an object such as {"limits": {"memory_mib": 32}}'),
        ({"Extensions": {"a": {"limit": {}}}}, "did you mean 'limits'?"),
        ({"Extensions": {"a": {"limits": []}}}, "Extensions.a.limits: expected an object such as"),
        ({"Extensions": {"a": {"limits": {"memory": 1}}}}, "did you mean 'memory_mib'?"),
        ({"Extensions": {"a": {"limits": {"memory_mib": 0}}}}, "expected an integer from 1 to 4096"),
        ({"Extensions": {"a": {"limits": {"memory_mib": True}}}}, "expected an integer from 1 to 4096"),
        ({"Extensions": {"a": {"limits": {"memory_mib": 1.5}}}}, "expected an integer from 1 to 4096"),
        ({"Extensions": {"a": {"limits": {"seconds": 0}}}}, "expected a number from 0.01 to 86400"),
        ({"Extensions": {"a": {"limits": {"seconds": True}}}}, 'such as 5, or {"JOBS": 600}'),
        ({"Extensions": {"a": {"limits": {"seconds": {"JOBS": "1"}}}}}, "got text"),
        ({"Extensions": {"a": {"limits": {"seconds": {"JOBB": 1}}}}}, "did you mean 'JOBS'?"),
        ({"Storages": {"Scada": {}}}, "write package.Name"),
        ({"Storages": {"a.B": []}}, "Storages.a.B: expected an object, got a list"),
        ({"Storages": {"a.B": {"isolaton": "x"}}}, "did you mean 'isolation'?"),
        ({"Storages": {"a.B": {"isolation": "inproces"}}}, "did you mean 'inprocess'?"),
        ({"Storages": {"a.B": {"isolation": 1}}}, "got an integer"),
        ({"Storages": {"a.B": {"limits": {"x": -1}}}}, "limits.x: expected a number from 0 to"),
        ({"Storages": {"a.B": {"limits": {"x": 10**400}}}}, "limits.x: expected a number from 0 to"),
        ({"Storages": {"a.B": {"limits": {"x": True}}}}, "limits.x"),
        ({"Storages": {"a.B": {"limits": 1}}}, "Storages.a.B.limits: expected an object"),
        ({"Storages": {"a.B": {"scopes": {"INSRT": []}}}}, "did you mean 'INSERT'?"),
        ({"Storages": {"a.B": {"scopes": {"GET": ["JIBS"]}}}}, "did you mean 'JOBS'?"),
        ({"Storages": {"a.B": {"scopes": {"GET": "JOBS"}}}}, "a list of scopes, got text"),
        ({"Storages": {"a.B": {"scopes": {"GET": [], "get": []}}}}, "GET is given twice"),
        ({"Storages": {"a.B": {"scopes": []}}}, "scopes: expected an object"),
        ({"Storages": {"a.B": {"allow": {"network": [1]}}}}, "allow.network: expected a list of texts"),
        ({"Storages": {"a.B": {"version": "a/b"}}}, "Storages.a.B.version: 'a/b' is no version name"),
    ],
)
def test_a_damaged_descriptor_is_refused(content: object, message: str) -> None:
    assert message in refusal(content)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(DescriptorError) as caught:
        read_descriptor('{"NumPart": 1, "NumParts": 0, "Version": 1, "Storages": {"x": 1}}')
    assert len(caught.value.problems) == 5


def test_thousands_of_unknown_keys_get_a_few_hints() -> None:
    with pytest.raises(DescriptorError) as caught:
        read_descriptor(json.dumps({f"NumPart{number}": 1 for number in range(1000)}))
    assert len(caught.value.problems) == 1000
    assert sum("did you mean" in problem for problem in caught.value.problems) == 20


@pytest.mark.parametrize("content", ["", "{", '{"NumPart": 1}', "[]"])
def test_an_image_with_a_damaged_descriptor_is_refused(source: Path, content: str) -> None:
    (source / "descriptor.json").write_text(content)
    with pytest.raises(ImageError, match=r"descriptor\.json"):
        open_image(source)


def test_no_value_of_a_parameter_is_shown() -> None:
    shown = "PackageParams.a.Password: expected text, a number, true or false, got a list"
    assert refusal({"PackageParams": {"a": {"Password": ["hunter2"]}}}).count(shown) == 1
    assert "hunter2" not in refusal('{"PackageParams": {"a": {"Password": "hunter2"}}')
    assert "hunter2" not in repr(read_descriptor('{"PackageParams": {"a": {"Password": "hunter2"}}}'))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["NumParts", "EnginePoolSize", "NumAppWorkspaces", "Version", "PackageParams", "Storages", "Extensions"]
)
settings_names = st.sampled_from(["isolation", "limits", "scopes", "allow", "version"])
storages = st.dictionaries(
    st.just("a.B") | st.text(), st.dictionaries(settings_names, json_values), max_size=2
)


@given(st.dictionaries(names, json_values) | st.builds(lambda found: {"Storages": found}, storages))
def test_any_json_gives_a_descriptor_or_a_descriptor_error(content: object) -> None:
    try:
        read_descriptor(json.dumps(content))
    except DescriptorError as error:
        assert error.problems  # noqa: PT017


@given(st.binary(max_size=60))
def test_any_bytes_give_a_descriptor_error(data: bytes) -> None:
    with pytest.raises(DescriptorError):
        read_descriptor(b"[" + data)
