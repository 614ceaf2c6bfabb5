from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from msgspec.structs import astuple

from statehold.hosting._plan import PlannedStorage
from statehold.images import Isolation
from statehold.sdk import DeployError, Intent, IWithCallContext, Key, Rank, SchemaError, StorageError, Value
from statehold.state import Rows

Apply = Callable[[Any, Sequence[Intent]], None]

#: How many rows are given to the one that takes over in one batch.
_MANY: Final = 256
_PAUSE: Final = 0.0005


class Relay:
    """Stands before the changes of an open storage, so that another one can take its place and lack none.

    Most of the time a change passes. While another storage gets ready, the rows that change are *noted* as
    well, one change after the other. Once that one is current, it is the *heir*: a change that is still asked
    for here, by a call in flight, is made there, too, before the call hears that it was made; and there alone
    once this one is about to take over from it again.

    Attributes:
        name: the storage's qualified name.
        isolation: where it runs.
        rows: the constructors of its keys and values.

    """

    def __init__(self, impl: Any, name: str, isolation: Isolation, rows: Rows) -> None:
        self.name = name
        self.isolation = isolation
        self.rows = rows
        self._impl = impl
        self._heir: Relay | None = None
        #: Whether the heir alone is to have what is changed: it has the same rows, or gives them back soon.
        self._heir_alone = False
        self._noted: dict[Key, Intent] | None = None
        self._is_plain = True
        #: Held while rows are noted, by whoever changes them.
        self._order = threading.Lock()
        #: As long as many changes are being made beside that; a list, since nothing else counts in one step.
        self._under_way: list[None] = []
        self._through = self.through(self._apply_own)

    @staticmethod
    def of(impl: Any, planned: PlannedStorage) -> Relay | None:
        """Return what stands before a storage, None for one whose rows are nobody's to take over."""
        if (
            planned.provider.rank is not Rank.STORAGE
            or planned.rows_of
            or isinstance(impl, IWithCallContext)
            or not callable(getattr(impl, "apply_batch", None))
        ):
            return None
        return Relay(impl, planned.name, planned.isolation, planned.rows)

    def through(self, apply: Apply) -> Apply:
        """Return what `apply` does, behind the relay."""
        began, ended = self._under_way.append, self._under_way.pop

        def relayed(impl: Any, items: Sequence[Intent]) -> None:
            began(None)
            if self._is_plain:
                try:
                    apply(impl, items)
                    # Who has begun to note meanwhile might have missed it.
                    if not self._is_plain:
                        self._note_late(items)
                finally:
                    ended()
            else:
                ended()
                self._relay(apply, impl, items)

        return relayed

    # -- To note what changes ---------------------------------------------------------------------------

    def note(self) -> None:
        """Note from now on which rows change; what has been made by now is in the storage."""
        self._set(noted={}, heir=self._heir)

    def rest(self) -> None:
        """Note no more, and forget what was noted, even while a change hangs."""
        self._set(noted=None, heir=self._heir)

    @property
    def noted(self) -> int:
        """How many rows have been noted."""
        return len(self._noted or ())

    def taken(self) -> list[Intent]:
        """Return what was noted, and note anew; for who holds the relay."""
        noted = self._noted
        if noted is None:
            return []
        self._noted = {}
        return list(noted.values())

    def take_noted(self, end: float) -> list[Intent]:
        """Return what was noted, and note anew.

        Raises:
            DeployError: a change is still under way at *end*, by `time.monotonic`.

        """
        self.hold(end)
        try:
            return self.taken()
        finally:
            self.let_go()

    # -- To change places -------------------------------------------------------------------------------

    def settle(self, end: float) -> None:
        """Wait until what was under way before anything was noted has been made.

        Raises:
            DeployError: it is still under way at *end*, by `time.monotonic`.

        """
        while self._under_way:
            if time.monotonic() >= end:
                raise self._too_long()
            time.sleep(_PAUSE)

    def step_aside(self, end: float) -> None:
        """Let changes be made in the heir alone: this one is about to take over from it again.

        What is being made in both is waited for until *end*, by `time.monotonic`; then nothing is made here a
        second time when this one is current again, over what has been changed since.
        """
        if self._heir is not None:
            self._heir_alone = True
            # What hangs for longer keeps nobody from rolling back.
            with suppress(DeployError):
                self.settle(end)

    def hold(self, end: float) -> None:
        """Let changes wait until `let_go`, behind the one that is being noted.

        Raises:
            DeployError: that is still under way at *end*, by `time.monotonic`.

        """
        if not self._order.acquire(timeout=max(0.0, end - time.monotonic())):
            raise self._too_long()

    def _too_long(self) -> DeployError:
        return DeployError(
            f"a change of {self.name} is under way for so long that nobody can take over from it",
            hint="What ran before goes on. Deploy again when that has ended",
        )

    def let_go(self) -> None:
        """Let changes go on."""
        self._order.release()

    def hand_to(self, heir: Relay, *, is_shared: bool) -> Callable[[], None]:
        """Let changes be made in the *heir*, too, which has nobody after it; for who holds the relay.

        Where the two share their rows, they are made there alone. What is returned undoes it, before anybody
        could change anything.
        """
        noted, before, was_shared = self._noted, heir._heir, heir._heir_alone
        # In this order: nobody may find a ring.
        heir._set(noted=None, heir=None)
        self._heir_alone = is_shared
        self._set(noted=None, heir=heir)

        def undo() -> None:
            self._set(noted=noted, heir=None)
            heir._heir_alone = was_shared
            heir._set(noted=None, heir=before)

        return undo

    # -- What others have changed -----------------------------------------------------------------------

    def adopt(self, items: Sequence[Intent], theirs: Rows) -> list[str]:
        """Have rows that changed in the storage before; return in words what this one refuses.

        Raises:
            StateholdError: it does not work; what of them it has is not known.

        """
        refused: list[str] = []
        for start in range(0, len(items), _MANY):
            refused += self._adopt(items[start : start + _MANY], theirs)
        return refused

    def close(self) -> None:
        """Hold the storage no more: it is freed."""
        self._impl = None

    def _adopt(self, items: Sequence[Intent], theirs: Rows) -> list[str]:
        try:
            own = self._own(items, theirs)
            self._impl.validate(own)
            self._impl.apply_batch(own)
        except (StorageError, SchemaError) as error:
            if len(items) == 1:
                return [str(error)]
            return [line for one in items for line in self._adopt([one], theirs)]
        return []

    def _take(self, items: Sequence[Intent], theirs: Rows) -> None:
        """Make changes here that were asked of a storage before; or in whatever is current by now."""
        while True:
            relay = self
            while (heir := relay._heir) is not None:
                relay = heir
            impl, own = relay._impl, relay._own(items, theirs)  # noqa: SLF001
            try:
                impl.validate(own)
                relay._through(impl, own)  # noqa: SLF001
            except Exception:
                # It may have been replaced just now, and freed; or freed alone: then nobody lacks anything.
                if relay._heir is None:  # noqa: SLF001
                    if relay._impl is None:  # noqa: SLF001
                        return
                    raise
            else:
                return

    def _apply_own(self, impl: Any, items: Sequence[Intent]) -> None:
        if self._heir is None:
            impl.apply_batch(items)

    def _own(self, items: Iterable[Intent], theirs: Rows) -> list[Intent]:
        """Return changes of another version as those of this one."""
        key_class, make = self.rows.Key, _value_maker(self.rows, theirs)
        return [Intent(key_class(*astuple(item.key)), make(item.value), item.is_new) for item in items]

    def _set(self, *, noted: dict[Key, Intent] | None, heir: Relay | None) -> None:
        # In this order: where nothing is noted any more, the heir is to be seen.
        self._heir, self._noted = heir, noted
        self._is_plain = noted is None and heir is None

    def _relay(self, apply: Apply, impl: Any, items: Sequence[Intent]) -> None:
        self._under_way.append(None)
        if self._noted is None:
            try:
                heir = self._heir
                if heir is None or not self._heir_alone:
                    apply(impl, items)
                    # Once more: it may have become current just now.
                    heir = self._heir or heir
                if heir is not None:
                    heir._take(items, self.rows)  # noqa: SLF001 - of the same class
                elif not self._is_plain:
                    self._note_late(items)
            finally:
                self._under_way.pop()
            return
        self._under_way.pop()
        with self._order:
            apply(impl, items)
            heir = self._heir
            self._note(items)
        if heir is not None:
            # It became current while this one waited for its turn.
            heir._take(items, self.rows)  # noqa: SLF001

    def _note_late(self, items: Sequence[Intent]) -> None:
        with self._order:
            self._note(items)

    def _note(self, items: Sequence[Intent]) -> None:
        noted = self._noted
        if noted is None:
            return
        for item in items:
            before = noted.pop(item.key, None)
            # The heir does not have the row yet that an UPDATE started from.
            is_new = item.is_new or (before is not None and before.is_new)
            noted[item.key] = item if is_new is item.is_new else Intent(item.key, item.value, is_new)


def can_follow(rows: Rows, before: Rows) -> bool:
    """Return whether rows can be handed over from a storage with *before*: they have the same KEY."""
    return [one.attribute for one in rows.key_fields] == [one.attribute for one in before.key_fields]


def _value_maker(ours: Rows, theirs: Rows) -> Callable[[Value], Value]:
    """Return what makes values of another version ours: what we do not have is left out."""
    if ours.value_fields == theirs.value_fields:
        return lambda value: ours.Value(*astuple(value))
    common = {one.attribute for one in ours.value_fields} & {one.attribute for one in theirs.value_fields}
    return lambda value: ours.value(**{name: getattr(value, name) for name in common})
