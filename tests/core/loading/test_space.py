"""Versions of one package live side by side, and a plugin's own imports lead to its own modules."""

from __future__ import annotations

import importlib
import inspect
import pickle
import sys
import traceback
import typing

import pytest

from statehold.sdk import PluginError, Provider

IMPORTS = {
    "scada/__init__.py": """
        import scada.absolute
        import scada.deep.leaf as leaf
        from scada import absolute as by_name
        from . import relative
        from .relative import VALUE
        from scada.starred import *
        from statehold.sdk import Operation, Provider

        provider = Provider(name="Scada", open=lambda ctx: None, operations=[Operation.GET])

        def lazily():
            import scada.late
            from .deep import leaf
            return scada.late.VALUE, leaf.VALUE

        def by_exec():
            names = {}
            exec("import scada.absolute as found", names)
            return names["found"]

        def by_exec_here():
            exec("from scada import late as found", globals())
            return found
    """,
    "scada/absolute.py": "import scada\nVALUE = 'absolute'\n",
    "scada/relative.py": "from . import absolute\nfrom .absolute import VALUE\n",
    "scada/starred.py": "__all__ = ['STARRED']\nSTARRED = 'starred'\nHIDDEN = 1\n",
    "scada/late.py": "VALUE = 'late'\n",
    "scada/deep/leaf.py": "from ..absolute import VALUE as UP\nVALUE = 'leaf'\n",
    "scada/circle/__init__.py": "from scada.circle import one, two\n",
    "scada/circle/one.py": "import scada.circle.two as two\ndef there(): return two.back\n",
    "scada/circle/two.py": "import scada.circle.one as one\ndef back(): return one.there\n",
    "alone.py": "from scada.absolute import VALUE\n",
}


def test_every_way_to_import_its_own_modules_works(load, inside):
    """Absolute, relative, star, lazy, circular, by exec, from a folder without __init__, a single file."""
    plugin = load(IMPORTS)
    scada = inside(plugin)
    assert scada.scada is scada
    assert scada.by_name is scada.relative.absolute is inside(plugin, "scada.absolute")
    assert (scada.VALUE, scada.STARRED, hasattr(scada, "HIDDEN")) == ("absolute", "starred", False)
    assert (scada.leaf.VALUE, scada.leaf.UP) == ("leaf", "absolute")
    assert scada.lazily() == ("late", "leaf")
    assert scada.by_exec() is inside(plugin, "scada.absolute")
    assert scada.by_exec_here() is inside(plugin, "scada.late")
    assert inside(plugin, "scada.circle").one.there()()() is not None
    assert inside(plugin, "alone").VALUE == "absolute"


def test_two_versions_live_side_by_side_and_the_host_sees_neither(load, inside):
    """Each has its own classes and values under one package name, which the host does not get."""
    one = load({"scada/points.py": "VERSION = 1\nclass Point: pass\n"})
    two = load({"scada/points.py": "VERSION = 2\nclass Point: pass\n"})
    again = load({"scada/points.py": "VERSION = 1\nclass Point: pass\n"})
    modules = [inside(plugin, "scada.points") for plugin in (one, two, again)]
    assert [module.VERSION for module in modules] == [1, 2, 1]
    assert len({module.Point for module in modules}) == 3
    assert "scada" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("scada")


def test_two_versions_of_a_bundled_library_live_side_by_side(load, inside):
    """A plugin's dependency, put into its file, is private to it as well."""

    def library(version: str) -> dict[str, str]:
        return {
            "pointlib/__init__.py": f"from pointlib.core import parse\n__version__ = {version!r}\n",
            "pointlib/core.py": f"import json\ndef parse(text): return {version!r}, json.loads(text)\n",
            f"pointlib-{version}.dist-info/METADATA": f"Name: pointlib\nVersion: {version}\n",
            "scada/use.py": """
                import importlib.metadata
                import pointlib
                def answer(): return pointlib.parse("[1]"), importlib.metadata.version("pointlib")
            """,
        }

    old, new = load(library("1.1.9")), load(library("2.0"))
    assert inside(old, "scada.use").answer() == (("1.1.9", [1]), "1.1.9")
    assert inside(new, "scada.use").answer() == (("2.0", [1]), "2.0")


def test_the_host_and_its_standard_library_stay_shared(load, inside):
    """A plugin gets the host's SDK and standard library, even if it carries files of those names."""
    plugin = load(
        {
            "statehold/__init__.py": "raise SystemExit\n",
            "json.py": "raise SystemExit\n",
            "scada/use.py": "import json, statehold.sdk\n",
        }
    )
    assert inside(plugin, "scada.use").json is importlib.import_module("json")
    assert isinstance(plugin.providers["Scada"], Provider)


def test_a_module_knows_where_it_is(load, inside):
    """__file__, __path__, the loader, inspect and tracebacks show the plugin file and its lines."""
    plugin = load({"scada/points.py": "def fail():\n    raise ValueError('no such point')  # line two\n"})
    points = inside(plugin, "scada.points")
    assert points.__file__ == f"{plugin.path}/scada/points.py"
    assert inside(plugin).__path__ == [f"{plugin.path}/scada"]
    assert inspect.getsource(points.fail).startswith("def fail():\n    raise")
    assert inspect.getsourcefile(points.fail) == points.__file__
    with pytest.raises(ValueError, match="no such point") as failed:
        points.fail()
    text = "".join(traceback.format_exception(failed.value))
    assert "storages-1.whl/scada/points.py" in text
    assert "# line two" in text
    loader = points.__spec__.loader
    assert loader.is_package(points.__name__) is False
    assert loader.get_filename(points.__name__) == points.__file__
    assert loader.get_data(points.__file__).startswith(b"def fail")
    with pytest.raises(ImportError, match=r"no module 'scada\.nothing'"):
        loader.get_source("scada.nothing")
    with pytest.raises(FileNotFoundError):
        loader.get_data("/etc/passwd")


CLASSES = """
from __future__ import annotations
import abc, dataclasses, enum, functools, typing
import attrs, msgspec
from typing import NamedTuple, Optional

class Colour(enum.Enum):
    RED = 1

class Pair(NamedTuple):
    left: int
    colour: Colour

@dataclasses.dataclass(order=True)
class Plain:
    value: int
    other: Optional[Plain] = None

@attrs.frozen
class Frozen:
    colour: Colour
    def method(self): return 1

class Row(msgspec.Struct):
    colour: Colour
    plain: Plain

class Base(abc.ABC):
    @abc.abstractmethod
    def go(self): ...

class Derived(Base):
    def go(self): return 1

@functools.lru_cache
def cached(x): return Plain(x)

@functools.singledispatch
def shape(x): return "other"

@shape.register
def _(x: Plain): return "plain"

T = typing.TypeVar("T")
class Box(typing.Generic[T]):
    pass
"""


def test_classes_of_every_kind_work(load, inside):
    """Dataclasses, attrs, msgspec, enums, named tuples, ABCs, caches, annotations and pickle."""
    plugin = load({"scada/kinds.py": CLASSES})
    kinds = inside(plugin, "scada.kinds")
    assert typing.get_type_hints(kinds.Plain)["other"] == kinds.Plain | None
    assert kinds.Plain(1) < kinds.Plain(2)
    msgspec = importlib.import_module("msgspec")
    row = kinds.Row(colour=kinds.Colour.RED, plain=kinds.Plain(7))
    assert msgspec.json.decode(msgspec.json.encode(row), type=kinds.Row) == row
    for thing in (kinds.Pair(1, kinds.Colour.RED), kinds.Frozen(kinds.Colour.RED), kinds.Plain(3), row):
        assert pickle.loads(pickle.dumps(thing)) == thing
    assert isinstance(kinds.Derived(), kinds.Base)
    assert (kinds.cached(1), kinds.shape(kinds.Plain(1)), kinds.shape(1)) == (
        kinds.Plain(1),
        "plain",
        "other",
    )
    assert kinds.Box[kinds.Plain]


def test_an_optional_import_that_is_missing_can_be_caught(load, inside):
    """`try: import` of a foreign module and of an own one both raise ModuleNotFoundError."""
    plugin = load(
        {
            "scada/optional.py": """
                missing = []
                for name in ("no_such_library", "scada.no_such_module"):
                    try:
                        __import__(name)
                    except ModuleNotFoundError:
                        missing.append(name)
                try:
                    from . import nothing
                except ImportError as error:
                    missing.append("nothing")
            """
        }
    )
    assert inside(plugin, "scada.optional").missing == ["no_such_library", "scada.no_such_module", "nothing"]


def test_a_module_may_replace_itself_and_be_reloaded(load, inside):
    """`sys.modules[__name__]` is the plugin's own place, and `importlib.reload` runs its code again."""
    plugin = load(
        {
            "scada/itself.py": """
                import sys, types
                class Lazy(types.ModuleType):
                    answer = 42
                sys.modules[__name__] = Lazy(__name__)
            """,
            "scada/counted.py": "COUNT = globals().get('COUNT', 0) + 1\n",
        }
    )
    assert inside(plugin, "scada.itself").answer == 42
    assert importlib.reload(inside(plugin, "scada.counted")).COUNT == 2


def test_code_is_compiled_once_per_file(load, make_wheel, inside):
    """Two loads of one file share code objects, and nothing else."""
    from statehold.loading import load_plugin

    wheel = make_wheel({"scada/points.py": "def point(): pass\n"})
    with load_plugin(wheel, owner="a 1") as one, load_plugin(wheel, owner="b 1") as two:
        first, second = inside(one, "scada.points").point, inside(two, "scada.points").point
        assert first is not second
        assert first.__code__ is second.__code__


def test_one_finder_serves_all_plugins(load):
    """It stands on sys.meta_path once, knows no foreign name, and goes with the last plugin."""
    plugins = [load() for _ in range(3)]
    finders = [finder for finder in sys.meta_path if type(finder).__name__ == "Finder"]
    assert len(finders) == 1
    assert finders[0].find_spec("json.decoder") is None
    for plugin in plugins:
        plugin.free()
    assert finders[0] not in sys.meta_path


def test_an_import_after_free_says_no(load, inside):
    """Code that outlives its plugin cannot import the plugin's modules back."""
    plugin = load(IMPORTS)
    lazily = inside(plugin).lazily
    plugin.free()
    with pytest.raises(ModuleNotFoundError):
        lazily()


def test_what_is_bundled_twice_is_refused_by_name(make_wheel):
    """Two distributions with storages in one file leave open which one is the plugin."""
    from statehold.loading import load_plugin

    wheel = make_wheel(
        {
            "other-2.dist-info/METADATA": "Name: other\nVersion: 2\n",
            "other-2.dist-info/entry_points.txt": "[statehold.storages]\nOther = scada:provider\n",
        }
    )
    with pytest.raises(PluginError, match=r"holds 2 distributions with storages: acme-scada 1\.0, other 2"):
        load_plugin(wheel, owner="acme.bills 1")
