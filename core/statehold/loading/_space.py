"""A private namespace per loaded plugin file, so that versions of one package live side by side.

The plugin's package `scada` is imported as `scada__plugin7`: a name nobody else has, to which the
plugin's own imports of `scada` lead. That needs one finder on `sys.meta_path` for all plugins, and an
`__import__` of its own in the builtins of each plugin's modules; imports of the host stay as they are.
"""

from __future__ import annotations

import builtins
import importlib
import itertools
import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from statehold.loading._archive import Archive

if TYPE_CHECKING:
    from importlib.resources.abc import TraversableResources

_lock = threading.Lock()
_numbers = itertools.count(1)


class Finder:
    """Finds the modules of every loaded plugin; costs a host's import one look into a dict."""

    def __init__(self) -> None:
        self.spaces: dict[str, Space] = {}

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return the spec of a plugin's module, None for all others."""
        space = self.spaces.get(name.partition(".")[0])
        return None if space is None else space.spec(name)


class Space:
    """The namespace of one loaded plugin: importer and loader of its modules."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.marker = f"__plugin{next(_numbers)}"
        self.tops = {top: f"{top}{self.marker}" for top in archive.tops}
        self.modules: list[str] = []
        self.exit_calls: list[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]] = []
        self.shims: dict[str, ModuleType] = {}
        self.import_ = self._importer()
        self._builtins = {**vars(builtins), "__import__": self.import_}
        with _lock:
            finders = [finder for finder in sys.meta_path if isinstance(finder, Finder)]
            self._finder = finders[0] if finders else Finder()
            if not finders:
                sys.meta_path.insert(0, self._finder)
            self._finder.spaces.update(dict.fromkeys(self.tops.values(), self))

    def close(self) -> None:
        """Find no module any more."""
        with _lock:
            for private in self.tops.values():
                self._finder.spaces.pop(private, None)
            if not self._finder.spaces and self._finder in sys.meta_path:
                sys.meta_path.remove(self._finder)

    def private(self, name: str) -> str:
        """Return the private name of `scada`, `scada.module` or `scada.module:object`; others as they are."""
        head = name.partition(":")[0].partition(".")[0]
        top = self.tops.get(head)
        return name if top is None else top + name[len(head) :]

    def public(self, text: str) -> str:
        """Return *text* with the names that the plugin's author knows."""
        return re.sub(rf"{self.marker}(?!\d)", "", text)

    def module(self, private: str) -> str:
        """Return the name that the plugin's author knows, of a module by its private name."""
        top, dot, rest = private.partition(".")
        return top.removesuffix(self.marker) + dot + rest

    def import_module(self, name: str) -> ModuleType:
        """Return the module that the plugin calls *name*."""
        return importlib.import_module(self.private(name))

    def spec(self, name: str) -> ModuleSpec | None:
        """Return the spec of the module of that private name."""
        public = self.module(name)
        member = self.archive.modules.get(public)
        if member is None:
            return None
        location = self.archive.location(public)
        loader: Any = self  # by its methods; importlib.abc has nothing that it needs
        spec = ModuleSpec(name, loader, origin=location, is_package=member.is_package, loader_state=public)
        spec.has_location = member.file is not None
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(f"{self.archive.path}/{member.folder}")
        self.modules.append(name)
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:  # noqa: ARG002
        """Leave making the module to the import system."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code with the private `__import__`."""
        namespace = vars(module)
        namespace["__builtins__"] = self._builtins
        exec(self.get_code(module.__name__), namespace)  # noqa: S102 - that is what a loader is for

    def get_code(self, name: str) -> CodeType:
        """Return the code object of the module."""
        return self.archive.code(self._known(name))

    def get_source(self, name: str) -> str:
        """Return the source text of the module, for tracebacks and `inspect`."""
        return self.archive.source(self._known(name))

    def get_filename(self, name: str) -> str:
        """Return the `__file__` of the module: a path inside the plugin file."""
        return self.archive.location(self._known(name))

    def is_package(self, name: str) -> bool:
        """Return whether the module is a package."""
        return self.archive.modules[self._known(name)].is_package

    def get_data(self, path: str) -> bytes:
        """Return the content of a file in the plugin file, by a path next to `__file__`."""
        prefix = f"{self.archive.path}/"
        if not path.startswith(prefix):
            raise FileNotFoundError(2, "not a path in the plugin file", path)
        return self.archive.read(path.removeprefix(prefix))

    def get_resource_reader(self, name: str) -> TraversableResources:
        """Return the resources beside the module, for `importlib.resources`."""
        from statehold.loading._resources import resources  # noqa: PLC0415 - only for plugins that have some

        return resources(self.archive, self.archive.modules[self._known(name)].folder)

    def run_exit_calls(self) -> list[BaseException]:
        """Run what the plugin registered with `atexit`, the last one first; return what was raised."""
        errors: list[BaseException] = []
        while self.exit_calls:
            function, args, kwargs = self.exit_calls.pop()
            try:
                function(*args, **kwargs)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - one that fails does not stop the rest
                errors.append(error)
        return errors

    def _known(self, name: str) -> str:
        public = self.module(name)
        if public not in self.archive.modules:
            raise ImportError(f"the plugin has no module {public!r}", name=name)
        return public

    def _importer(self) -> Callable[..., ModuleType]:
        from statehold.loading._shims import SHIMMED, shim  # noqa: PLC0415 - they need this module's types

        tops, plain = self.tops, builtins.__import__

        def import_(
            name: str,
            globals: Mapping[str, object] | None = None,  # noqa: A002 - the signature of __import__
            locals: Mapping[str, object] | None = None,  # noqa: A002
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> ModuleType:
            if level == 0:
                head, dot, rest = name.partition(".")
                private = tops.get(head)
                if private is not None:
                    return plain(private + dot + rest, globals, locals, fromlist or (), 0)
                if head in SHIMMED:
                    plain(name, globals, locals, fromlist or (), 0)
                    return shim(self, name if fromlist else head)
            return plain(name, globals, locals, fromlist or (), level)

        return import_
