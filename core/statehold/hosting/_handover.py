from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import attrs

from statehold.hosting._opened import OpenStorage
from statehold.hosting._relay import Relay, can_follow
from statehold.hosting._trouble import Trouble
from statehold.images import Isolation
from statehold.sdk import DeployError, Intent, IStateStorage, IWithSharing

#: Rows that are given while everybody waits; before that, those beyond are given beside.
_FEW: Final = 64
_ROUNDS: Final = 20


@attrs.define(eq=False)
class _Link:
    """One storage, and the one that takes its place."""

    before: Relay
    after: Relay
    is_shared: bool
    #: Which process or instance it took rows into.
    life: object
    impl: IStateStorage
    is_back: bool = False

    @property
    def giver(self) -> Relay:
        return self.after if self.is_back else self.before

    @property
    def taker(self) -> Relay:
        return self.before if self.is_back else self.after

    @property
    def is_apart(self) -> bool:
        """Whether one of the two is not in this process, so that they cannot have the same objects."""
        return any(one.isolation is not Isolation.INPROCESS for one in (self.before, self.after))


class Handover:
    """What is written to the storages of one version while another gets ready to take its place.

    A storage takes over rows when it is opened, or resumes. From before that on it is *noted* which rows
    change in the one before. These are given to it: beside the calls as long as there are many, and the rest
    while changes of the storage wait, at the swap. From then on what calls in flight still change in the
    one before is changed in both. So a change that was acknowledged is in the storage that is current.
    """

    def __init__(
        self, who: str, *, timeout: float, logger: logging.Logger, redact: Callable[[str], str] = str
    ) -> None:
        self._who = who
        self._timeout = timeout
        self._logger = logger
        self._trouble = Trouble(redact)
        self._noting: dict[tuple[int, str], Relay] = {}
        self._links: dict[tuple[int, str], _Link] = {}

    def note(self, number: int, before: OpenStorage, back: OpenStorage | None = None) -> None:
        """Note what changes in a storage of a partition: it is about to be taken over.

        Where one that was current earlier comes *back*, what calls in flight still ask of that is made in the
        one before alone, which gives it to that.
        """
        if before.relay is not None:
            before.relay.note()
            self._noting[number, before.name] = before.relay
            if back is not None and back.relay is not None:
                back.relay.step_aside(time.monotonic() + self._timeout)

    def join(self, number: int, before: OpenStorage, after: OpenStorage) -> None:
        """Let *after*, which has been opened or has resumed, get what was noted, if it takes rows at all."""
        noting = self._noting.pop((number, before.name), None)
        why = "" if not after.takes_over else _why_not(before, after)
        if noting is None or after.relay is None or not after.takes_over or why:
            if noting is not None:
                noting.rest()
            if why:
                self._logger.warning(
                    "%s: %s of %s takes over what it can from %s, and what is written there until the swap "
                    "may be lost: %s",
                    *(self._who, after.name, after.where, before.where, why),
                )
            return
        is_shared = isinstance(after.impl, IWithSharing) and after.impl.shares_with(before.impl)
        if is_shared:
            noting.rest()
        self._links[number, before.name] = _Link(
            noting, after.relay, is_shared, _life(after.impl), after.impl
        )

    def joins(self, number: int, name: str) -> bool:
        """Return whether a storage in another process or instance gets all that the one before has."""
        link = self._links.get((number, name))
        return link is not None and link.is_apart

    def give(self) -> None:
        """Give what has been noted so far, until it is little; calls go on.

        Raises:
            DeployError: the storage that takes over refuses a row or does not work, or a change is under
                way for too long.

        """
        links = [link for link in self._links.values() if link.is_apart]
        for _ in range(_ROUNDS):
            many = [link for link in links if link.giver.noted > _FEW]
            if not many:
                return
            for link in many:
                self._give(link, link.giver.take_noted(time.monotonic() + self._timeout))

    @contextmanager
    def swapping(
        self,
        partitions: Collection[int] | None = None,
        *,
        has_happened: Callable[[], bool],
        on_trial: bool = False,
    ) -> Iterator[None]:
        """Give the rest, while changes wait, and let the block swap some partitions, or all.

        From then on changes are made in both. Those that are swapped *on trial* may be swapped back: what
        changes meanwhile is noted for that.

        Raises:
            DeployError: a change is under way for too long, a row is refused, what was taken over is gone, or
                a storage does not work.

        """
        links = [
            link
            for (number, _), link in self._links.items()
            if not link.is_back and (partitions is None or number in partitions)
        ]
        end = time.monotonic() + self._timeout
        with ExitStack() as held, ExitStack() as undo:
            own = [link for link in links if not link.is_shared]
            for link in own:
                link.before.settle(end)
            for link in own:
                link.before.hold(end)
                held.callback(link.before.let_go)
            for link in own:
                self._check(link)
                self._give(link, link.before.taken())
                # That may have waited until it was started again.
                self._check(link)
            for link in links:
                undo.callback(link.before.hand_to(link.after, is_shared=link.is_shared))
                if on_trial and not link.is_shared:
                    undo.callback(link.after.rest)
                    link.after.note()
            try:
                yield
            finally:
                if has_happened():
                    undo.pop_all()
                    for link in links:
                        link.is_back = on_trial

    @contextmanager
    def swapping_back(self) -> Iterator[None]:
        """Give back, while changes wait, what changed in what is on trial, and let the block swap that back.

        What cannot be given is logged: whatever happens, it is swapped back.
        """
        links = [link for link in self._links.values() if link.is_back]
        end = time.monotonic() + self._timeout
        for link in links:
            link.before.step_aside(end)
        with ExitStack() as held:
            for link in links:
                if not link.is_shared:
                    try:
                        link.after.settle(end)
                        link.after.hold(end)
                        held.callback(link.after.let_go)
                        self._give(link, link.after.taken())
                    except Exception:
                        self._logger.exception(
                            "%s: what was written on trial is not in %s of the version that goes on",
                            *(self._who, link.before.name),
                        )
                link.after.hand_to(link.before, is_shared=link.is_shared)
                link.is_back = False
            yield

    def end(self) -> None:
        """Note no more."""
        for relay in self._noting.values():
            relay.rest()
        for link in self._links.values():
            link.giver.rest()
        self._noting.clear()
        self._links.clear()

    @staticmethod
    def _check(link: _Link) -> None:
        if _life(link.impl) != link.life:
            raise DeployError(
                f"{link.after.name} failed after it had taken over the rows of the version before, and so "
                "has lost them",
                hint="What ran before goes on. The log says what failed",
            )

    def _give(self, link: _Link, items: list[Intent]) -> None:
        try:
            refused = link.taker.adopt(items, link.giver.rows)
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises
            raise DeployError(
                f"{link.taker.name} of the version that takes over could not be given what was written "
                f"meanwhile: {self._trouble.line(error)}",
                hint="What ran before goes on. The log says what failed",
            ) from self._trouble.cause(error)
        if refused:
            raise DeployError(
                f"{link.taker.name} of the version that takes over refuses {len(refused)} of the rows that "
                f"were written meanwhile: {refused[0]}",
                problems=refused,
                hint="What ran before goes on. Let the new version take such rows, or deploy it again",
            )


def _why_not(before: OpenStorage, after: OpenStorage) -> str:
    """Return why a storage cannot be given what is written to the one before; empty where it can be."""
    if not callable(getattr(before.impl, "apply_batch", None)):
        return ""
    if before.relay is None or after.relay is None:
        return f"{after.name} cannot be written without its call, is used with entities, or has no INSERT"
    if not can_follow(after.relay.rows, before.relay.rows):
        return f"the KEY of {after.name} is another one"
    return ""


def _life(impl: IStateStorage) -> object:
    """Return what is another object once a storage has lost what it had in memory."""
    return getattr(impl, "life", None)
