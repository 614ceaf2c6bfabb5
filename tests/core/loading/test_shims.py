"""Standard functions that take a module or a distribution by name mean the plugin's own."""

from __future__ import annotations

import importlib.metadata
import logging

import pytest

CODE = {
    "scada/data/points.txt": "P1\nP2\n",
    "scada/data/sub/more.txt": "more",
    "scada/names.py": """
        import importlib, importlib.metadata, importlib.resources, importlib.util, pkgutil
        import importlib.resources as res
        import importlib_metadata as backport
        from importlib import import_module, metadata, resources
        from importlib.metadata import PackageNotFoundError, version
        import scada

        def modules():
            return [
                import_module("scada.points"), importlib.import_module(".points", "scada"),
                importlib.import_module(".points", __package__), importlib.__import__("scada.points").points,
                pkgutil.resolve_name("scada.points"), importlib.util.find_spec("scada.points").name,
            ]

        def texts():
            return [
                resources.files("scada").joinpath("data/points.txt").read_text(),
                res.files(scada).joinpath("data", "points.txt").read_text(),
                importlib.resources.files(__package__).joinpath("data/points.txt").read_text(),
                importlib.resources.files().joinpath("data/points.txt").read_text(),
                importlib.resources.files(anchor="scada").joinpath("data/points.txt").read_text()
                if hasattr(importlib.resources, "Anchor")
                else importlib.resources.files(package="scada").joinpath("data/points.txt").read_text(),
                resources.files("scada.data").joinpath("points.txt").read_text(),
                pkgutil.get_data("scada", "data/points.txt").decode(),
                pkgutil.get_data(__package__, "data/points.txt").decode(),
            ]

        def as_file():
            with resources.as_file(resources.files("scada") / "data/points.txt") as path:
                return path.read_text()

        def walk():
            return sorted(each.name for each in resources.files("scada").joinpath("data").iterdir())

        def versions():
            return [
                version("acme-scada"), metadata.version("acme.scada"),
                importlib.metadata.version("Acme_Scada"),
                backport.version("acme-scada"), metadata.distribution("acme-scada").version,
                metadata.metadata("acme-scada")["Name"], metadata.requires("acme-scada"),
            ]

        def foreign():
            try:
                version("no-such-distribution")
            except PackageNotFoundError:
                return version("attrs"), import_module("json").__name__, pkgutil.get_data("attr", "py.typed")

        def found():
            return sorted(each.name for each in pkgutil.iter_modules(scada.__path__, "scada."))
    """,
    "scada/points.py": "",
}


@pytest.fixture
def names(load, inside):
    plugin = load(CODE, requires=("attrs>=24",))
    return inside(plugin, "scada.names")


def test_modules_by_name(names):
    """`import_module`, `resolve_name` and `find_spec` find the plugin's modules."""
    *modules, spec_name = names.modules()
    assert len(set(modules)) == 1
    assert modules[0].__name__ == spec_name


def test_resources_by_name(names):
    """`importlib.resources` and `pkgutil.get_data` read the plugin's files."""
    assert names.texts() == ["P1\nP2\n"] * 8
    assert names.as_file() == "P1\nP2\n"
    assert names.walk() == ["points.txt", "sub"]


def test_its_own_version_by_name(names):
    """`importlib.metadata` and its backport know the plugin's own distribution, however it is spelt."""
    assert names.versions() == ["1.0"] * 5 + ["acme-scada", ["attrs>=24"]]
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("acme-scada")


def test_other_names_mean_what_they_always_mean(names):
    """What is not the plugin's own is the host's."""
    assert names.foreign() == (importlib.metadata.version("attrs"), "json", b"")


def test_its_packages_can_be_walked_through(names):
    """`pkgutil.iter_modules` lists the plugin's modules."""
    assert names.found() == ["scada.names", "scada.points"]


def test_a_stand_in_looks_like_the_module_it_stands_for(names):
    """Its names, its spec and its submodules are the real module's."""
    assert names.importlib is not importlib
    assert names.importlib.__name__ == "importlib"
    assert dir(names.importlib) == dir(importlib)
    assert names.importlib.__spec__ is importlib.__spec__
    assert names.importlib.machinery is importlib.machinery


def test_what_it_registers_with_atexit_runs_when_it_is_freed(load, inside):
    """Registered functions run in reverse, once, at free; one that fails is reported and stops nothing."""
    plugin = load(
        {
            "scada/ends.py": """
                import atexit
                calls = []
                atexit.register(calls.append, 1)
                @atexit.register
                def fails(): raise OSError("disk full")
                @atexit.register
                def leaves(): raise SystemExit(1)
                atexit.register(calls.append, 3)
                def never(): calls.append("never")
                atexit.register(never)
                atexit.unregister(never)
            """
        }
    )
    calls = inside(plugin, "scada.ends").calls
    report = plugin.free()
    assert calls == [3, 1]
    assert report.problems == (
        "a function registered with atexit raised SystemExit: 1",
        "a function registered with atexit raised OSError: disk full",
    )


def test_its_loggers_are_one_tree(load, inside):
    """`getLogger("scada")` is the parent of `getLogger(__name__)`; other names are everybody's."""
    plugin = load(
        {
            "scada/logs.py": """
                import logging
                from logging import getLogger
                top, here = logging.getLogger("scada"), getLogger(__name__)
                shared = logging.getLogger("shared")
                root = logging.getLogger()
            """
        }
    )
    logs = inside(plugin, "scada.logs")
    assert logs.here.parent is logs.top
    assert logs.top is not logging.getLogger("scada")
    assert logs.shared is logging.getLogger("shared")
    assert logs.root is logging.root
    assert logs.logging.DEBUG == logging.DEBUG
