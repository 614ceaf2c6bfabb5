from __future__ import annotations

from typing import ClassVar, Final

from sqlalchemy import MetaData, PrimaryKeyConstraint, Table

from statehold_aos.database._part import Part
from statehold_aos.database._rows import Instance
from statehold_aos.database._schema import WORKSPACE, make_column

INSTANCE_METADATA: Final = MetaData()
_FIELDS: Final[dict[str, type]] = {
    "instanceID": str,
    "serviceID": str,
    "subjectID": str,
    "instance": int,
    "storageQuota": int,
    "stateQuota": int,
    "stateChecksum": bytes,
}
_KEY: Final = (WORKSPACE, "instance", "subjectID", "serviceID")
#: As the Communication Manager of later versions of AOS has it, with our workspace.
INSTANCES: Final = Table(
    "storagestate",
    INSTANCE_METADATA,
    make_column(WORKSPACE, int, null=False),
    *(make_column(name, kind, null=name not in _KEY) for name, kind in _FIELDS.items()),
    PrimaryKeyConstraint(*_KEY, name="storagestate_key"),
)


class InstancesTable(Part):
    """Storage and state of instances of services, which later versions of AOS have instead of claims."""

    table: ClassVar[Table] = INSTANCES

    def add(self, instance: Instance) -> None:
        """Add an instance; `ExistsError` if there is one of its service, subject and number."""
        self._add(_called(instance.service_id, instance.subject_id, instance.instance), instance.row())

    def get(self, service_id: str, subject_id: str, instance: int = 0) -> Instance:
        """Return what is known of an instance."""
        what = _called(service_id, subject_id, instance)
        return Instance.of(self._one(what, **_key(service_id, subject_id, instance)))

    def all(self) -> list[Instance]:
        """Return what is known of all instances."""
        return [Instance.of(row) for row in self._all(self._select())]

    def set_quotas(
        self, service_id: str, subject_id: str, instance: int = 0, *, storage: int, state: int
    ) -> None:
        """Set how many bytes storage and state of an instance may have."""
        self._set(service_id, subject_id, instance, {"storageQuota": storage, "stateQuota": state})

    def set_state_checksum(
        self, service_id: str, subject_id: str, instance: int = 0, *, checksum: bytes
    ) -> None:
        """Set the checksum of the state that the cloud has accepted."""
        self._set(service_id, subject_id, instance, {"stateChecksum": checksum})

    def remove(self, service_id: str, subject_id: str, instance: int = 0) -> None:
        """Forget an instance."""
        self._remove(**_key(service_id, subject_id, instance))

    def _set(self, service_id: str, subject_id: str, instance: int, values: dict[str, object]) -> None:
        what = _called(service_id, subject_id, instance)
        self._change(what, values, **_key(service_id, subject_id, instance))


def _key(service_id: str, subject_id: str, instance: int) -> dict[str, object]:
    return {"serviceID": service_id, "subjectID": subject_id, "instance": instance}


def _called(service_id: str, subject_id: str, instance: int) -> str:
    return f"instance {instance} of service {service_id!r} for {subject_id!r}"
