from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from statehold.sdk import StateholdError
from statehold_qsfs.protection._errors import StoreChangedError, StoreError, StoreMissingError
from statehold_zstor.objects import ObjectChangedError, ObjectNotFoundError, Zstor


class Store(Protocol):
    """Where objects are kept that outlive this machine. What it acknowledges is never lost.

    Any number of threads may use it. Whatever it cannot do now is a `StoreError`.
    """

    def put(self, name: str, source: bytes | BinaryIO, *, expected: int | None = None) -> int:
        """Keep an object, in the place of what is there, all at once; return its generation.

        Args:
            name: of the object.
            source: its bytes, or a stream that is read to its end.
            expected: the generation that is to be replaced, 0 for none; None for any.

        Raises:
            StoreChangedError: another generation than *expected* is there.

        """

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        """Return bytes of an object; `StoreMissingError` if there is none."""

    def generation(self, name: str) -> int:
        """Return which writing of an object is there now; 0 for none."""

    def verify(self, name: str) -> bool:
        """Whether an object is there with its full redundancy, as reading all of it shows; mend it if not."""

    def delete(self, name: str) -> None:
        """Delete an object, if there is one."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names of all objects that begin with *prefix*."""


class ZstorStore:
    """A store on the objects of a zstor; closed by whoever opened that."""

    def __init__(self, zstor: Zstor) -> None:
        self._zstor = zstor

    def put(self, name: str, source: bytes | BinaryIO, *, expected: int | None = None) -> int:
        """As `Store.put`."""
        try:
            return self._zstor.store(name, source, expected=expected).generation
        except ObjectChangedError as error:
            raise StoreChangedError(error.message, hint=error.hint) from error
        except StateholdError as error:
            raise _store_error(error) from error

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        """As `Store.read`."""
        try:
            return self._zstor.read(name, offset, size)
        except ObjectNotFoundError as error:
            raise StoreMissingError(error.message, hint=error.hint) from error
        except StateholdError as error:
            raise _store_error(error) from error

    def generation(self, name: str) -> int:
        """As `Store.generation`."""
        try:
            found = self._zstor.check(name)
        except StateholdError as error:
            raise _store_error(error) from error
        return found.generation if found is not None else 0

    def verify(self, name: str) -> bool:
        """As `Store.verify`."""
        try:
            if self._zstor.verify(name).whole:
                return True
            self._zstor.rebuild(name)
            return self._zstor.verify(name).whole
        except ObjectNotFoundError:
            return False
        except StateholdError as error:
            raise _store_error(error) from error

    def delete(self, name: str) -> None:
        """As `Store.delete`."""
        try:
            self._zstor.delete(name)
        except StateholdError as error:
            raise _store_error(error) from error

    def names(self, prefix: str) -> Iterator[str]:
        """As `Store.names`."""
        try:
            yield from (found.key for found in self._zstor.list(prefix))
        except StateholdError as error:
            raise _store_error(error) from error


def _store_error(error: StateholdError) -> StoreError:
    return StoreError(error.message, hint=error.hint)
