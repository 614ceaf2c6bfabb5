from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final, Self

import attrs

from statehold.events import PartitionData, Schemas, ensure_app_workspaces
from statehold.hosting._context import make_context
from statehold.hosting._data import AppData
from statehold.hosting._engines import engine_context
from statehold.hosting._logger import HostedLogger
from statehold.hosting._opened import OpenStorage
from statehold.hosting._partition import Partition
from statehold.hosting._plan import PlannedStorage
from statehold.hosting._preparing import Preparer
from statehold.hosting._sandbox import Sandbox, SidecarHome
from statehold.hosting._services import Services
from statehold.hosting._settings import HostSettings, SystemClock
from statehold.images import open_image
from statehold.loading import PluginFiles, Work, installed
from statehold.rows import MemoryDriver
from statehold.sdk import Clock, DeployError, Provider, StateholdError
from statehold.state import Rows
from statehold.trust import Verdict
from statehold_vsql import ExtensionEngine
from statehold_vsql.appdef import AppDef

_VARIABLE: Final = "STATEHOLD_SECRET_"

#: Returns, for the name of a storage and its provider, the provider to open instead.
Casting = Callable[[str, Provider], Provider]


class Rehearsal:
    """A version of an app without a host: planned as for a deploy, and opened in memory as often as needed.

    For tests and tools: nothing is registered, no thread is started, and it has one partition.

    Args:
        image: an application's folder, or an image.
        folder: where plugins and the data of storages may lie.
        secrets: the secrets by name; any other is made up.
        place: what stands before the paths of the image's files in tracebacks.
        load_code: whether the code of extensions is loaded; without, none can be run.

    Attributes:
        app: `owner.app`.
        appdef: the compiled declarations.
        schemas: the shapes of its tables, views and types.
        problems: what a deploy would be refused for, beside code that does not match its declarations.
        context: what its engines are opened with.

    Raises:
        ImageError: it is no image.
        CompileError: its declarations have errors.

    """

    def __init__(
        self,
        image: Path,
        *,
        folder: Path,
        secrets: Mapping[str, str] | None = None,
        place: str = "",
        load_code: bool = True,
    ) -> None:
        self._settings = HostSettings(
            data_folder=folder,
            secrets_folder=None,
            environ=_MadeUp(secrets or {}),
            free_timeout=1,
            pending_timeout=1,
            clock=SystemClock(),
            logger=logging.getLogger("statehold.rehearsal"),
            count_calls=False,
            time_calls=False,
            slow_open=60,
            services=Services(),
            # Executables run in one; whatever is Python runs here.
            sidecars=SidecarHome(
                Sandbox.AVAILABLE, private=[folder], logger=logging.getLogger("statehold.rehearsal")
            ),
            rehearsing=True,
        )
        preparer = Preparer(self._settings, installed(), PluginFiles(folder / "plugins"))
        with open_image(image) as opened:
            plan, self.problems = preparer.plan(opened, Verdict(), lambda _: None)
            self._plan = attrs.evolve(plan, num_parts=1)
            self.context = attrs.evolve(engine_context(self._plan, opened), place=place)
            self._unfit = self._load() if load_code else None
        self.app = plan.app
        self.appdef: AppDef = plan.appdef
        self.schemas: Schemas = plan.schemas

    def _load(self) -> DeployError | None:
        try:
            self._plan.plugins.open_engines(self.context)
        except DeployError as error:
            return error
        except BaseException:
            self.close()
            raise
        return None

    def rows(self, storage: str) -> Rows:
        """Return the constructors of keys and values of a storage, by its qualified name."""
        return next(planned.rows for planned in self._plan.storages if planned.name == storage)

    def module(self, name: str) -> ModuleType:
        """Return a module of the app's Python code by the name that its author knows.

        Raises:
            StateholdError: there is none.

        """
        from statehold.extensions.python import PythonEngine  # noqa: PLC0415 - only for apps with Python code

        engine = self._plan.plugins.engines.engines.get(ExtensionEngine.PYTHON)
        if isinstance(engine, PythonEngine):
            with suppress(ModuleNotFoundError):
                return engine.module(name)
        raise StateholdError(
            f"the code of {self.app} has no module {name!r}", hint="Name it as the code does"
        )

    def check_code(self) -> None:
        """Raise the DeployError for code that does not match its declarations, or cannot be loaded."""
        if self._unfit is not None:
            raise self._unfit

    @contextmanager
    def open(self, *, clock: Clock, cast: Casting, registered_at: int) -> Iterator[Partition]:
        """Open every storage, over an empty row store in memory, and free them in the end.

        Args:
            clock: the time that storages see.
            cast: chooses the provider that is opened for each storage.
            registered_at: when the app's workspaces are made, in milliseconds since 1970.

        Raises:
            StateholdError: a storage cannot be opened.

        """
        driver = MemoryDriver(clock=clock)
        store = driver.create(self.app)
        data = AppData(store, (PartitionData(store, 0),), (threading.Lock(),))
        opened: dict[str, OpenStorage] = {}
        partition: Partition | None = None
        try:
            ensure_app_workspaces(
                data.partitions, self.schemas, self._plan.num_app_workspaces, registered_at=registered_at
            )
            for planned in self._plan.storages:
                self._place(planned).mkdir(parents=True, exist_ok=True)
            for planned in self._plan.storages:
                opened[planned.name] = self._open(
                    planned, cast(planned.name, planned.provider), opened, data, clock
                )
            if self._unfit is not None:
                self._plan.plugins.do_without_engines()
            partition = Partition(0, self._plan, opened, data, count_calls=False)
            yield partition
        finally:
            if partition is not None:
                partition.close()
            for storage in reversed(opened.values()):
                storage.work.finish(self._settings.pending_timeout)
                storage.free()
            store.close()

    def close(self) -> None:
        """Remove all code that was loaded from the process."""
        self._plan.plugins.free()
        self._settings.sidecars.close()

    def _place(self, planned: PlannedStorage) -> Path:
        return self._settings.storage_folder(self._plan.app, 0, planned.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(
        self,
        planned: PlannedStorage,
        provider: Provider,
        opened: Mapping[str, OpenStorage],
        data: AppData,
        clock: Clock,
    ) -> OpenStorage:
        where = f"the rehearsal of {self._plan.app}"
        logger = HostedLogger(f"statehold.{self._plan.app}.{self._plan.version}.0.{planned.name}")
        work = Work(f"{planned.name} of {where}", logger)
        context = make_context(
            self._plan,
            planned,
            0,
            logger=logger,
            work=work,
            data_folder=self._place(planned),
            clock=clock,
            existing=None,
            storages={name.partition(".")[2]: opened[name].impl for name in planned.requires},
            data=data.partitions[0],
            host=self._settings.services,
        )
        return OpenStorage(
            name=planned.name,
            provider=provider.name,
            impl=provider.open(context),
            work=work,
            logger=logger,
            where=where,
        )


class _MadeUp(dict[str, str]):
    """An environment in which every secret is given, those that nobody gave with a text of no meaning."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        super().__init__({f"{_VARIABLE}{name.upper()}": secret for name, secret in secrets.items()})

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or str(name).startswith(_VARIABLE)

    def get(self, name: str, default: Any = None) -> Any:
        made_up = f"made-up-{name.removeprefix(_VARIABLE).lower()}" if name.startswith(_VARIABLE) else default
        return super().get(name, made_up)
