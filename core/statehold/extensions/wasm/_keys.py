from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs

from statehold.extensions._engine import Use
from statehold.extensions.wasm._errors import GuestError
from statehold.extensions.wasm._packages import Packages
from statehold.sdk import Key
from statehold.state import Rows

#: How often one key may have a field that holds many values, such as the receivers of a mail.
_MOST_REPEATED: Final = 1000
_NO_FIELDS: Final[dict[str, Any]] = {}


@attrs.frozen(eq=False)
class Target:
    """A storage, or one entity of one, as a guest's keys need it."""

    storage: str
    entity: str | None
    rows: Rows
    repeated: frozenset[str]


class Targets:
    """What one extension may use, by the names of storage and entity that its guest gives.

    A package is named by its path or by its local name. The entity may be left out where the extension uses
    only one of the storage; a storage without entities takes any, as Voedger's do.
    """

    def __init__(self, uses: Iterable[Use], packages: Packages) -> None:
        self._packages = packages
        self._targets: dict[tuple[bytes, bytes], Target] = {}
        by_storage: dict[str, list[Target]] = {}
        for use in uses:
            repeated = frozenset(field.name for field in use.rows.key_fields if field.repeated)
            target = Target(use.storage, use.entity, use.rows, repeated)
            by_storage.setdefault(use.storage, []).append(target)
        for storage, many in by_storage.items():
            for target in many:
                entities = set() if target.entity is None else {target.entity, packages.full(target.entity)}
                if target.entity is None or len(many) == 1:
                    entities.add("")
                self._targets |= {
                    (name.encode(), entity.encode()): target
                    for name in (storage, packages.full(storage))
                    for entity in entities
                }

    def get(self, storage: bytes, entity: bytes) -> Target | None:
        """Return what is called so, or None."""
        found = self._targets.get((storage, entity))
        if found is None and entity:
            found = self._targets.get((storage, b""))
            if found is not None and found.entity is not None:
                return None
        return found

    def named(self, storage: str, entity: str) -> tuple[str, str | None]:
        """Return the names as the declarations have them."""
        return self._local(storage), self._local(entity) if entity else None

    def _local(self, name: str) -> str:
        package, dot, rest = name.rpartition(".")
        return f"{self._packages.local(package)}.{rest}" if dot else name


class KeyBuilder:
    """A key that a guest is putting together; it may be used, changed and used again."""

    __slots__ = ("fields", "target")

    def __init__(self, target: Target) -> None:
        self.target = target
        # Most keys of a query that returns many results have no fields.
        self.fields: dict[str, Any] = _NO_FIELDS

    def put(self, name: str, value: object) -> None:
        """Set a field; one that holds many values gets one more."""
        if not self.fields:
            self.fields = {}
        if name not in self.target.repeated:
            self.fields[name] = value
            return
        many = self.fields.setdefault(name, [])
        if len(many) >= _MOST_REPEATED:
            raise GuestError(
                f"it put {name} into one key of {self.target.storage} more than {_MOST_REPEATED} times"
            )
        many.append(value)

    def key(self, workspace: int) -> Key:
        """Return the key as it stands now; *workspace* is for those that name none."""
        fields = self.fields
        make = self.target.rows.key
        return make(**fields) if "WSID" in fields else make(workspace, **fields)

    def prefix(self, workspace: int) -> Key:
        """Likewise, for a READ: trailing fields may be left out."""
        fields = self.fields
        make = self.target.rows.prefix
        return make(**fields) if "WSID" in fields else make(workspace, **fields)
