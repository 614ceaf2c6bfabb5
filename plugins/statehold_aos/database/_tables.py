from __future__ import annotations

import attrs

from statehold_aos.database._config_table import ConfigTable
from statehold_aos.database._instance_table import InstancesTable
from statehold_aos.database._layers_table import LayersTable
from statehold_aos.database._runner import Runner
from statehold_aos.database._services_table import ServicesTable
from statehold_aos.database._traffic_table import TrafficTable
from statehold_aos.database._users_table import UsersTable


@attrs.frozen
class Tables:
    """The tables, as one workspace sees them.

    A function that asks for a row that is not there, or changes one, raises `NotExistError`; one that
    removes it does nothing.
    """

    _runner: Runner
    workspace: int

    @property
    def config(self) -> ConfigTable:
        """The state of the system."""
        return ConfigTable(self._runner, self.workspace)

    @property
    def services(self) -> ServicesTable:
        """The installed services."""
        return ServicesTable(self._runner, self.workspace)

    @property
    def users(self) -> UsersTable:
        """Which user claim has which service."""
        return UsersTable(self._runner, self.workspace)

    @property
    def traffic(self) -> TrafficTable:
        """Traffic counters."""
        return TrafficTable(self._runner, self.workspace)

    @property
    def layers(self) -> LayersTable:
        """The installed layers."""
        return LayersTable(self._runner, self.workspace)

    @property
    def instances(self) -> InstancesTable:
        """Storage and state of instances of services."""
        return InstancesTable(self._runner, self.workspace)
