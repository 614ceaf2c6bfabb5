"""Each row changes one thing of a descriptor; beside it is what the comparison makes of it."""

from __future__ import annotations

import copy
import json

import pytest

from statehold.images import Described, compare_descriptors, read_descriptor
from statehold_vsql import compile_app

VSQL = """
APPLICATION shop();
PARAMETER Url text DEFAULT 'x';
PARAMETER Needed int32;
STATESTORAGE ENGINE PYPLUGIN (
  STORAGE Box (GET SCOPE(COMMANDS, QUERIES)) KEY (Room text NOT NULL) VALUE (Weight int32);
  STORAGE Crate (GET SCOPE(QUERIES)) KEY (Room text NOT NULL) VALUE (Weight int32);
);
STATESTORAGE ENGINE WASM (
  STORAGE Meter (GET SCOPE(QUERIES)) KEY (Room text NOT NULL) VALUE (Weight int32);
);
"""
BEFORE = {
    "NumParts": 4,
    "NumAppWorkspaces": 2,
    "EnginePoolSize": [10, 10, 10, 1],
    "PackageParams": {"shop": {"Url": "http://x", "Needed": 1}},
    "Storages": {
        "shop.Box": {
            "isolation": "sidecar",
            "limits": {"memory_mib": 64, "deadline": 4, "partitions_per_process": 2},
            "allow": {"network": ["a.example", "b.example"]},
            "scopes": {"GET": ["COMMANDS"]},
        },
        "shop.Meter": {"limits": {"memory_mib": 16}},
    },
    "Extensions": {"shop": {"limits": {"memory_mib": 32, "seconds": {"COMMANDS": 1}}}},
}
BOX = ("Storages", "shop.Box")
GONE = object()

CHANGES = [
    (("NumParts",), 8, ["partitions!data"]),
    (("NumAppWorkspaces",), 1, ["app-workspaces!data"]),
    (("NumAppWorkspaces",), 3, ["app-workspaces"]),
    (("EnginePoolSize",), [20, 10, 10, 1], ["engine-pools"]),
    (("EnginePoolSize",), [5, 10, 10, 1], ["engine-pools"]),
    (("PackageParams", "shop", "Url"), "http://y", ["value-changed"]),
    (("PackageParams", "shop", "Url"), GONE, ["value-removed"]),
    (("PackageParams", "shop", "Needed"), GONE, ["value-removed!operator"]),
    ((*BOX, "isolation"), "inprocess", ["isolation!operator"]),
    ((*BOX, "isolation"), GONE, ["isolation!operator"]),
    ((*BOX, "isolation"), "wasm", ["isolation"]),
    (("Storages", "shop.Crate"), {"isolation": "sidecar"}, ["isolation"]),
    (("Storages", "shop.Crate"), {"isolation": "inprocess"}, []),
    (("Storages", "shop.Meter"), {"isolation": "wasm", "limits": {"memory_mib": 16}}, []),
    ((*BOX, "limits", "memory_mib"), 128, ["limit-changed!operator"]),
    ((*BOX, "limits", "memory_mib"), 32, ["limit-changed"]),
    ((*BOX, "limits", "memory_mib"), GONE, ["limit-removed!operator"]),
    ((*BOX, "limits", "deadline"), 60, ["limit-changed!operator"]),
    ((*BOX, "limits", "open_files"), 10, ["limit-added"]),
    ((*BOX, "limits", "partitions_per_process"), 4, ["limit-changed"]),
    (("Storages", "shop.Meter", "limits", "memory_mib"), 32, ["limit-changed!operator"]),
    (("Storages", "shop.Meter"), GONE, ["limit-removed!operator"]),
    ((*BOX, "allow", "network"), ["a.example", "b.example", "c.example"], ["allow-added!operator"]),
    ((*BOX, "allow", "network"), ["a.example"], ["allow-removed"]),
    ((*BOX, "allow", "network"), ["a.example", "c.example"], ["allow-added!operator", "allow-removed"]),
    ((*BOX, "allow"), GONE, ["allow-removed"]),
    (("Storages", "shop.Crate"), {"allow": {"network": ["x"]}}, ["allow-added!operator"]),
    ((*BOX, "scopes", "GET"), ["COMMANDS", "QUERIES"], ["scopes"]),
    ((*BOX, "scopes", "GET"), ["QUERIES"], ["scopes!packages"]),
    ((*BOX, "scopes"), GONE, ["scopes"]),
    (("Storages", "shop.Crate"), {"scopes": {"GET": []}}, ["scopes!packages"]),
    ((*BOX, "version"), "1.2", ["plugin-version"]),
    (("Extensions", "shop", "limits", "memory_mib"), 64, ["limit-changed!operator"]),
    (("Extensions", "shop", "limits", "memory_mib"), 16, ["limit-changed"]),
    (("Extensions", "shop", "limits", "seconds", "COMMANDS"), 9, ["limit-changed!operator"]),
    (("Extensions", "shop", "limits", "seconds", "QUERIES"), 9, ["limit-added"]),
]


@pytest.fixture(scope="module")
def appdef():
    found = compile_app({"example.com/shop": {"shop.vsql": VSQL}})
    assert found.appdef is not None, found.diagnostics
    return found.appdef


@pytest.fixture
def described(appdef):
    def described(content):
        return Described(descriptor=read_descriptor(json.dumps(content)), appdef=appdef)

    return described


def put(content, place, value):
    changed = copy.deepcopy(content)
    *above, last = place
    inner = changed
    for name in above:
        inner = inner.setdefault(name, {})
    if value is GONE:
        del inner[last]
    else:
        inner[last] = value
    return changed


def said(changes):
    assert all(change.code.startswith("descriptor-") for change in changes)
    return [
        change.code.removeprefix("descriptor-") + (f"!{change.breaks}" if change.breaks else "")
        for change in changes
    ]


@pytest.mark.parametrize(
    ("place", "value", "expected"), CHANGES, ids=lambda it: ".".join(it) if isinstance(it, tuple) else None
)
def test_a_change_is_what_the_table_says(described, place, value, expected):
    found = compare_descriptors(described(BEFORE), described(put(BEFORE, place, value)))
    assert said(found) == expected, "\n".join(map(str, found))


def test_a_descriptor_has_not_changed_against_itself(described):
    assert compare_descriptors(described(BEFORE), described(BEFORE)) == ()


def test_a_change_names_its_place_and_no_value_of_a_parameter(described):
    after = put(BEFORE, ("PackageParams", "shop", "Url"), "hunter2")
    (change,) = compare_descriptors(described(BEFORE), described(after))
    assert change.code == "descriptor-value-changed"
    assert change.subject == "descriptor.json: PackageParams.shop.Url"
    assert change.message == "is set to something else"


def test_what_one_version_has_not_is_told_with_the_declarations(described):
    """A storage, a parameter: that it is gone or new says the comparison of these."""
    after = put(BEFORE, ("Storages", "shop.Other"), {"isolation": "sidecar"})
    assert compare_descriptors(described(BEFORE), described(after)) == ()
