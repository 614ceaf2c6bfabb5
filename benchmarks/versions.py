"""What it costs to load, replace and free versions and their plugins."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks._measure import Row, timed, within
from statehold.hosting import Host
from statehold.images import build_image, open_image
from statehold.loading import load_plugin

MODULES = 5
PARTITIONS = 10
SWAPS = 9

VSQL = """
APPLICATION five();
STATESTORAGE ENGINE PYPLUGIN (
    STORAGE Five (GET SCOPE(QUERIES)) KEY (Id int64 NOT NULL) VALUE (N int64)
);
"""
PLUGIN = """
from five import {modules}
from statehold.sdk import Provider

class Five:
    def get(self, key):
        return None
    def free(self):
        pass

provider = Provider(name="Five", open=lambda ctx: Five(), operations=["GET"])
"""
PYPROJECT = """
[project]
name = "five"
version = "1"
[project.entry-points."statehold.storages"]
Five = "five:provider"
"""


def rows() -> Iterator[Row]:
    """Yield the rows of this page."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _plugin(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield _swap(Path(folder))


def _image(folder: Path, version: str) -> Path:
    root = folder / version / "acme.five"
    code = root / "image/pkg/example.com/five/storages/five"
    code.mkdir(parents=True)
    names = [f"m{i}" for i in range(1, MODULES)]
    for name in names:
        (code / f"{name}.py").write_text("import logging\n\nlog = logging.getLogger(__name__)\n")
    (code / "__init__.py").write_text(PLUGIN.format(modules=", ".join(names)))
    (code.parent / "pyproject.toml").write_text(PYPROJECT)
    (code.parent.parent / "five.vsql").write_text(VSQL)
    (root / "descriptor.json").write_text(json.dumps({"Version": version, "NumParts": PARTITIONS}))
    return build_image(root, folder)


def _plugin(folder: Path) -> Iterator[Row]:
    with open_image(_image(folder, "1")) as image:
        (plugin,) = image.plugins
        wheel = folder / plugin.name
        wheel.write_bytes(image.read(plugin.path))
    frees: list[float] = []

    def load() -> float:
        start = time.perf_counter()
        loaded = load_plugin(wheel, owner="the benchmark", sha256=plugin.sha256)
        assert loaded.providers
        seconds = time.perf_counter() - start
        frees.append(timed(loaded.free))
        return seconds

    yield within(f"load a plugin of {MODULES} modules, code cached", load, limit=1.5, unit="ms", rounds=51)
    measured = iter(frees)
    yield within("free it", lambda: next(measured), limit=0.1, unit="ms", rounds=50)


def _swap(folder: Path) -> Row:
    numbers = iter(range(SWAPS + 3))
    with Host(folder / "data", environ={}) as host:
        host.deploy(_image(folder, str(next(numbers))))
        app = host.app("acme.five")

        def swap() -> float:
            version = host.deploy(_image(folder, str(next(numbers))), activate=False)
            with app.borrow():
                # The step at which callers change over; opening and freeing stand on either side of it.
                return timed(lambda: app.swap(version)) / PARTITIONS

        name = f"swap versions of {PARTITIONS} partitions, per partition"
        return within(name, swap, limit=10, unit="us", rounds=SWAPS)
