from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statehold.cli._sources import Checked
    from statehold_vsql import Compilation, Contract
    from statehold_vsql.appdef import AppDef, QName


def compile_checked(checked: Checked) -> Compilation:
    """Compile what was read, with what is installed here."""
    from statehold.loading import installed  # noqa: PLC0415 - brings what is installed
    from statehold_vsql import compile_app  # noqa: PLC0415 - brings the parser

    catalog = installed()
    return compile_app(
        catalog.complete(checked.application),
        contracts=catalog.contracts(),
        with_plugin=checked.with_plugin,
    )


def offers(checked: Checked, appdef: AppDef) -> Mapping[QName, Contract]:
    """Return what the providers of storages offer, as far as they are not in an image."""
    from statehold.loading import installed  # noqa: PLC0415 - as above
    from statehold_vsql import StorageEngine  # noqa: PLC0415 - as above

    contracts = installed().contracts()
    return {
        storage.name: contracts[storage.provider]
        for storage in appdef.storages.values()
        if storage.provider in contracts
        and (
            storage.engine is StorageEngine.BUILTIN
            or (
                storage.engine is StorageEngine.PYPLUGIN
                and storage.position.package not in checked.with_plugin
            )
        )
    }
