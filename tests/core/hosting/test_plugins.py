from __future__ import annotations

import random
import shutil

import pytest

from statehold.hosting._plugins import version_key
from statehold.images import build_image
from statehold.sdk import DeployError


def two_versions(kitchen, **descriptor):
    """Build an image whose package has the plugin in versions 1.9 and 1.10, which answer 9000 and 10000."""
    roots = [
        kitchen.source(version, plugin=f"1.{version}", Version="1", **descriptor) for version in ("9", "10")
    ]
    packages = [root / "image/pkg/example.com/kitchen" for root in roots]
    for root, package in zip(roots, packages, strict=True):
        built = build_image(root, root.parent / "built.shi")
        shutil.unpack_archive(built, root.parent / "unpacked", "zip")
        for wheel in (root.parent / "unpacked/image/pkg/example.com/kitchen").glob("*.whl"):
            wheel.rename(packages[0] / wheel.name)
        shutil.rmtree(package / "storages")
    return build_image(roots[0], roots[0].parent / "both.shi")


def version_of(host, storage):
    with host.app("acme.kitchen").borrow() as partition:
        return partition.storage(storage).version


def test_of_several_versions_the_highest_is_used(host, kitchen):
    host.deploy(two_versions(kitchen))
    assert version_of(host, "kitchen.Scada") == "10"


def test_an_operator_may_pin_the_version_of_one_storage(host, kitchen, tmp_path):
    host.deploy(two_versions(kitchen, Storages={"kitchen.Scada": {"version": "1.9"}}))
    assert version_of(host, "kitchen.Scada") == "9"
    assert version_of(host, "kitchen.Historian") == "10"
    assert len(list((tmp_path / "data/storages").iterdir())) == 2


def test_a_version_that_is_not_there_is_named_with_the_nearest_one(host, kitchen):
    image = two_versions(kitchen, Storages={"kitchen.Scada": {"version": "1.8"}})
    with pytest.raises(DeployError, match=r"no plugin file of version '1\.8' .* Did you mean '1\.9'"):
        host.deploy(image)


def test_versions_are_ordered_by_their_numbers():
    ordered = ["0.9", "1.0a1", "1.0rc1", "1.0", "1.0.1", "1.2", "1.10", "2024.1"]
    shuffled = random.Random(1).sample(ordered, len(ordered))
    assert sorted(shuffled, key=version_key) == ordered
