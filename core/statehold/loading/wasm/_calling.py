from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar

from statehold.loading._size import MOST_VALUES, has_too_many
from statehold.loading.wasm._abi import CLOSE, OPEN
from statehold.loading.wasm._codec import words
from statehold.loading.wasm._errors import GuestError, Reason, WasmError
from statehold.loading.wasm._imports import Imports
from statehold.loading.wasm._instance import Instance
from statehold.loading.wasm._limits import WasmLimits
from statehold.loading.wasm._runtime import Runtime
from statehold.sdk import FreedError, StateholdError, StorageContext, StorageError

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0

T = TypeVar("T")


class Caller:
    """Calls an instance of a module, one caller at a time.

    An instance that failed is replaced at the next call by a new one, which has no rows. Where that cannot
    be opened, calls fail at once for a while, and for longer each time.
    """

    def __init__(
        self, runtime: Runtime, limits: WasmLimits, ctx: StorageContext, *, index: int, opening: bytes
    ) -> None:
        self._name = ctx.storage
        self._runtime = runtime
        self._limits = limits
        self._logger = ctx.logger
        self._clock = ctx.clock
        self._index = index
        self._opening = opening
        self._lock = threading.Lock()
        self._running: Callable[[], bool] = self._lock.locked
        self._freed = False
        self._pause = 0.0
        self._not_before = 0.0
        self._trouble: StateholdError | None = None
        self._instance: Instance | None = None
        self._lives = 0
        runtime.ticker.watch(self._running)
        try:
            self._alone(OPEN, lambda _: None)
        except BaseException:
            runtime.ticker.unwatch(self._running)
            raise

    def free(self) -> None:
        """Let the module close what it holds, and give its memory back."""
        self._wait(CLOSE)
        try:
            instance, self._instance, self._freed = self._instance, None, True
            if instance is not None:
                self._close(instance)
        finally:
            self._runtime.ticker.unwatch(self._running)
            self._lock.release()

    def _close(self, instance: Instance) -> None:
        try:
            if CLOSE in self._runtime.module.exports:
                instance.do(CLOSE)
        except GuestError as error:
            raise self._error(CLOSE, error, instance) from None
        finally:
            instance.imports.tell()
            instance.close()

    # -- calls -----------------------------------------------------------------------------------------

    def _ask(self, export: str, data: bytes) -> bytes | None:
        """Give *data* to an export, and return its answer: `_alone`, in fewer steps."""
        lock = self._lock
        if not lock.acquire(False):  # noqa: FBT003 - by name, it takes longer
            self._wait(export)
        try:
            instance = self._instance or self._reopened(export)
            try:
                found = instance.ask(export, data)
            except BaseException as error:  # noqa: BLE001 - raised again
                self._fail(export, error, instance)
            if instance.imports.lines:
                instance.imports.tell()
        finally:
            lock.release()
        return found

    def _alone(self, export: str, run: Callable[[Instance], T]) -> T:
        """Run something with the instance, and with nobody else."""
        self._wait(export)
        try:
            instance = self._instance or self._reopened(export)
            try:
                found = run(instance)
            except BaseException as error:  # noqa: BLE001 - raised again
                self._fail(export, error, instance)
            instance.imports.tell()
        finally:
            self._lock.release()
        return found

    def _do(self, export: str, data: bytes) -> None:
        """Give *data* to an export that does something or refuses it."""
        self._check_done(export, self._ask(export, data))

    def _wait(self, export: str) -> None:
        if not self._lock.acquire(timeout=self._limits.deadline):
            raise WasmError(
                f"{self._name}: others kept it busy for {self._limits.deadline:g} s, and its export {export} "
                "was not called",
                storage=self._name,
                export=export,
                reason=Reason.BUSY,
            )

    # -- answers ---------------------------------------------------------------------------------------

    def _decoded(self, export: str, decode: Callable[[bytes], Any], answer: bytes) -> Any:
        """Return what an answer holds; raise StorageError if that is a refusal."""
        if len(answer) > MOST_VALUES and has_too_many(answer):
            raise self._garbled(export, f"it has more than {MOST_VALUES} values")
        try:
            found = decode(answer)
        except Exception as error:  # noqa: BLE001 - whatever garbage brings about
            raise self._garbled(export, str(error) or type(error).__name__) from None
        if found.__class__ is str:
            raise StorageError(f"{self._name}: {found}")
        return found

    def _check_done(self, export: str, answer: bytes | None) -> None:
        if answer is not None:
            self._decoded(export, words, answer)

    def _garbled(self, export: str, what: str) -> WasmError:
        return WasmError(
            f"{self._name}: its export {export} gave an answer that is none: {what}",
            storage=self._name,
            export=export,
            reason=Reason.ANSWER,
            hint="Compare what it answers with the fields of its description",
        )

    # -- failures --------------------------------------------------------------------------------------

    def _fail(self, export: str, error: BaseException, instance: Instance) -> NoReturn:
        """Raise what became of a call; an instance that cannot go on is let go."""
        if not isinstance(error, GuestError):
            self._drop(instance)
            raise error
        made = self._error(export, error, instance)
        instance.imports.tell()
        if not error.is_alive:
            self._drop(instance)
            self._logger.error("%s", made)
        raise made from None

    def _drop(self, instance: Instance) -> None:
        self._instance = None
        self._lives += 1
        instance.close()

    def _error(self, export: str, error: GuestError, instance: Instance) -> WasmError:
        gone = "" if error.is_alive or export in (OPEN, CLOSE) else "; it is replaced, and its rows are gone"
        return WasmError(
            f"{self._name}: its export {export} {error}{instance.imports.last_words}{gone}",
            storage=self._name,
            export=export,
            reason=error.reason,
            hint=error.hint,
        )

    def _reopened(self, export: str) -> Instance:
        """Return a new instance; after one that could not be opened, not before some time has passed."""
        if self._freed:
            raise FreedError(f"{self._name} has been freed")
        if self._trouble is not None and time.monotonic() < self._not_before:
            raise WasmError(
                self._trouble.message,
                storage=self._name,
                export=export,
                reason=Reason.START,
                hint=self._trouble.hint,
            )
        try:
            made = self._opened()
        except StateholdError as error:
            self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE)
            self._not_before = time.monotonic() + self._pause
            # A copy: the error itself has been raised, and its traceback keeps what it passed.
            self._trouble = StateholdError(error.message, hint=error.hint)
            raise
        self._trouble, self._pause = None, 0.0
        self._instance = made
        return made

    def _opened(self) -> Instance:
        imports = Imports(self._limits, self._logger, self._clock)
        try:
            made = self._runtime.instance(self._limits, imports)
        except GuestError as error:
            said = f"{self._name}: its module cannot be started: it {error}{imports.last_words}"
            imports.tell()
            raise WasmError(
                said, storage=self._name, export="start", reason=error.reason, hint=error.hint
            ) from None
        try:
            self._check_done(OPEN, made.give(OPEN, self._index, self._opening))
        except GuestError as error:
            raised = self._error(OPEN, error, made)
            made.close()
            raise raised from None
        except BaseException:
            made.close()
            raise
        finally:
            imports.tell()
        return made
