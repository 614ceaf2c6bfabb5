from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from types import FunctionType, ModuleType

import attrs

from statehold.loading._reference import short
from statehold.loading._shims import forget_exit_calls
from statehold.loading._space import Space
from statehold.loading._survivors import Survivor, holders, own_threads
from statehold.loading._sweep import remove_finders, sweep
from statehold.loading._traces import remove_loggers, remove_modules, remove_source_lines


@attrs.frozen(kw_only=True, eq=False)
class FreeReport:
    """What was removed of a freed plugin, and whether all of it is gone.

    Attributes:
        plugin: which plugin, and whose.
        modules: the modules removed, by the names the plugin's author knows.
        problems: what functions raised that the plugin had registered with `atexit`.

    """

    plugin: str
    modules: tuple[str, ...]
    problems: tuple[str, ...]
    _marker: str
    _watched: tuple[tuple[str, weakref.ref[object]], ...]

    @property
    def alive(self) -> int:
        """How many of the plugin's modules, classes, functions and providers exist at this moment."""
        return sum(watched() is not None for _, watched in self._watched)

    @property
    def survivors(self) -> tuple[Survivor, ...]:
        """What does not die, each with what holds it; empty once everything is gone.

        Collects garbage if needed, and takes the plugin's classes out of caches and registries of the
        standard library. In a large process that takes milliseconds: not on the path of a call.
        """
        return () if settle([self]) else self.named()

    def named(self) -> tuple[Survivor, ...]:
        """Return what is alive at this moment, each with what holds it; garbage, too, if it is there yet."""
        alive = [(name, thing) for name, watched in self._watched if (thing := watched()) is not None]
        things = [thing for _, thing in alive]
        if not things:
            return ()
        held = holders(things, self._marker, ignored={id(alive), *map(id, alive)})
        return tuple(Survivor(name, text) for (name, _), text in zip(alive, held, strict=True))

    def sweep(self) -> None:
        """Take the plugin's classes out of caches and registries of the standard library."""
        sweep(self._marker)

    @property
    def threads(self) -> tuple[str, ...]:
        """The names of threads that still run the plugin's code."""
        return own_threads(self._marker)


def settle(reports: Sequence[FreeReport]) -> bool:
    """Return whether all that was freed is gone, after a garbage collection or two where it is not yet.

    All of them together cost what one does.
    """
    if any(report.alive for report in reports):
        gc.collect()
    left = [report for report in reports if report.alive]
    if left:
        for report in left:
            report.sweep()
        gc.collect()
    return not any(report.alive for report in left)


def free_space(space: Space, *, who: str, made: tuple[object, ...]) -> FreeReport:
    """Remove what loading and running a plugin has left in the process.

    *made* are the objects to watch beside its modules and what those define.
    """
    errors = space.run_exit_calls()
    forget_exit_calls(space)
    modules = remove_modules(space)
    remove_finders(space.marker)
    remove_source_lines(space)
    remove_loggers(space)
    space.shims.clear()
    watched = [(f"provider {getattr(each, 'name', '?')}", weakref.ref(each)) for each in made]
    for name, module in modules.items():
        watched += _watch(name, module, space.module(name))
    return FreeReport(
        plugin=who,
        modules=tuple(map(space.module, modules)),
        problems=tuple(f"a function registered with atexit raised {short(error)}" for error in errors),
        marker=space.marker,
        watched=tuple(watched),
    )


def _watch(name: str, module: ModuleType, public: str) -> list[tuple[str, weakref.ref[object]]]:
    watched: list[tuple[str, weakref.ref[object]]] = [(f"module {public}", weakref.ref(module))]
    for key, value in vars(module).items():
        if isinstance(value, (type, FunctionType)) and value.__module__ == name:
            kind = "class" if isinstance(value, type) else "function"
            watched.append((f"{kind} {public}.{key}", weakref.ref(value)))
    return watched
