from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from statehold.sdk._errors import FreedError, SchemaError, ScopeError, StateholdError, StorageError


@contextmanager
def using(storage: str, operation: str, *, freed: bool = False) -> Generator[None]:
    """Say of what fails in the block in which storage that was, and at what.

    Args:
        storage: its qualified name; an error that begins with it says so already.
        operation: what it does, such as "GET".
        freed: whether it was freed.

    Raises:
        FreedError: it was freed.
        StorageError: the block raised an error of Statehold, or of the system. What says that a row does not
            fit, or that the scope does not permit it, stays as it is.

    """
    if freed:
        raise FreedError(f"{storage} was used after it had been freed")
    try:
        yield
    except StateholdError as error:
        if isinstance(error, (FreedError, SchemaError, ScopeError)) or (
            isinstance(error, StorageError) and error.message.startswith(f"{storage}: ")
        ):
            raise
        raise StorageError(f"{storage}: {operation} failed: {error.message}", hint=error.hint) from error
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or error
        raise StorageError(f"{storage}: {operation} failed: {said}") from error
