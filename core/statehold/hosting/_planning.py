from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import attrs

from statehold.events import Schemas, entities_of, entity_rows
from statehold.hosting._access import Access, check_use
from statehold.hosting._isolation import place, placement_of, placing_problems, unsuited
from statehold.hosting._narrowing import Scopes, narrow
from statehold.hosting._nearest import nearest
from statehold.hosting._ordering import opening_order
from statehold.hosting._plan import Plan, PlannedStorage
from statehold.hosting._plugins import VersionPlugins
from statehold.hosting._settings import HostSettings
from statehold.hosting._uses import NamedUse, named_uses, plan_uses
from statehold.images import AppImage, Isolation, StorageSettings, Values, resolve_values, storage_config
from statehold.loading import Catalog, check_provider, why_inprocess
from statehold.sdk import DescriptorError, Provider, StateholdError
from statehold.state import compile_rows, share_rows
from statehold_vsql import DataType, Field, StorageEngine
from statehold_vsql.appdef import ANY, AppDef, ParameterDef, QName, StorageDef

#: The result of an extension that may return anything.
_ANYTHING: Final = (Field("Value", "object"),)


@attrs.define
class Planning:
    """One image on its way to a plan; what is wrong with it gathers in `problems`."""

    image: AppImage
    appdef: AppDef
    catalog: Catalog
    plugins: VersionPlugins
    settings: HostSettings
    problems: list[str] = attrs.field(factory=list, init=False)
    unresolved: bool = attrs.field(default=False, init=False)
    misplaced: set[str] = attrs.field(factory=set, init=False)

    def plan(self, warnings: tuple[str, ...]) -> Plan:
        """Return the plan, which is of use only where nothing is wrong."""
        self._check_names()
        values = self._values()
        redactor = values.redactor()
        self.plugins.logger.addFilter(redactor)
        announced = self.catalog.announced()
        providers: dict[QName, Provider] = {}
        accesses: dict[str, Access] = {}
        for definition in self.appdef.storages.values():
            if definition.engine is StorageEngine.BUILTIN and definition.provider in announced:
                contract = announced[definition.provider]
                accesses[str(definition.name)] = Access(
                    definition=definition,
                    declared=definition.operations or contract.operations,
                    permitted=self._narrowed(definition, definition.operations or contract.operations),
                    provided=False,
                )
                continue
            provider = self._provider(definition)
            if provider is not None:
                providers[definition.name] = provider
                declared = definition.operations if definition.operations is not None else provider.operations
                accesses[str(definition.name)] = Access(
                    definition=definition, declared=declared, permitted=self._narrowed(definition, declared)
                )
        unprovided = self._check_uses(accesses, providers)
        schemas = Schemas(self.appdef)
        self.problems += schemas.check()
        named = {
            extension.name: named_uses(extension)
            for extension in self.appdef.extensions.values()
            if extension.kind.scope is not None
        }
        entities = _entities_of(named.values())
        planned = {
            str(name): self._storage(name, provider, values, schemas, entities.get(name, ()))
            for name, provider in providers.items()
        }
        # Of a storage without a provider one hears once, not again from those that require it.
        lacking = {str(name) for name in self.appdef.storages.keys() - providers.keys()}
        order, problems = opening_order(
            {
                str(name): tuple(
                    one
                    for one in provider.requires
                    if one not in lacking and f"{name.package}.{one}" not in lacking
                )
                for name, provider in providers.items()
            }
        )
        self.problems += problems
        self.problems += [
            f"{place(name)}.isolation: storage {name} runs in a sidecar and requires {other}, which does "
            "not run in the same one. Give both the same isolation, limits and allow, in one plugin file"
            for name, requires in order.items()
            for other in requires
            if self.plugins.apart(name, other)
        ]
        return Plan(
            app=self.image.app,
            version=self.image.version,
            digest=self.image.digest,
            appdef=self.appdef,
            schemas=schemas,
            descriptor=self.image.descriptor,
            num_parts=self.image.descriptor.num_parts,
            num_app_workspaces=self.image.descriptor.num_app_workspaces,
            storages=tuple(
                attrs.evolve(storage, requires=requires)
                for name, requires in order.items()
                if (storage := planned[name]) is not None
            ),
            accesses=accesses,
            uses={
                str(name): plan_uses(self.appdef.extensions[name], uses, accesses, planned)
                for name, uses in named.items()
            },
            plugins=self.plugins,
            redactor=redactor,
            warnings=(*warnings, *unprovided, *self.plugins.warnings),
        )

    def _check_names(self) -> None:
        for name, problems in placing_problems(self.image.descriptor, self.appdef).items():
            self.problems += problems
            if problems:
                self.misplaced.add(name)
        packages = self.appdef.packages
        for name in self.image.descriptor.extensions:
            where = f"descriptor.json: Extensions.{name}"
            if name not in packages:
                self.problems.append(f"{where}: the app has no such package. {nearest(name, list(packages))}")
            elif packages[name] not in self.image.wasm:
                self.problems.append(f"{where}: its limits are for WebAssembly, and it has none. Take it out")

    def _values(self) -> Values:
        variables = {
            one.name: ParameterDef(
                name=one.name,
                field=Field(one.name.name, DataType.INT32),
                default=one.default,
                position=one.position,
            )
            for one in self.appdef.variables.values()
        }
        try:
            values = resolve_values(
                {**self.appdef.parameters, **variables},
                self.image.descriptor,
                secrets_folder=self.settings.secrets_folder,
                environ=self.settings.environ,
            )
        except DescriptorError as error:
            self.problems += error.problems
            self.unresolved = True
            return Values(parameters={}, secrets={})
        self._set_rates(values)
        return values

    def _set_rates(self, values: Values) -> None:
        """Let each RATE whose count is a DECLAREd variable have the operator's value."""
        rates = dict(self.appdef.rates)
        for name, rate in rates.items():
            count = rate.count if rate.variable is None else values.parameters[rate.variable]
            if not isinstance(count, int) or count < 1:
                self.problems.append(
                    f"PackageParams: {rate.variable} is {count!r}, and RATE {name} must let at least 1 pass"
                )
            else:
                rates[name] = attrs.evolve(rate, count=count)
        self.appdef = attrs.evolve(self.appdef, rates=rates)

    def _settings_of(self, name: QName) -> StorageSettings:
        return self.image.descriptor.storages.get(str(name), StorageSettings())

    def _provider(self, definition: StorageDef) -> Provider | None:
        name, settings = str(definition.name), self._settings_of(definition.name)
        if name in self.misplaced:
            # Whoever asks for a boundary gets no other, not even to have the provider checked.
            return None
        try:
            found = self.plugins.resolve(definition, settings)
        except StateholdError as error:
            self.problems.append(str(error))
            return None
        why = why_inprocess(found.provider)
        if why and placement_of(definition, settings).isolation is Isolation.SIDECAR:
            self.problems.append(unsuited(place(name), definition, found.provider, why))
        self.problems += map(str, check_provider(definition, found.provider))
        return found.provider

    def _narrowed(self, definition: StorageDef, declared: Scopes) -> Scopes:
        permitted, problems = narrow(
            str(definition.name), declared, self._settings_of(definition.name).scopes
        )
        self.problems += problems
        return permitted

    def _check_uses(
        self, accesses: Mapping[str, Access], providers: Mapping[QName, Provider]
    ) -> tuple[str, ...]:
        warnings = []
        for extension in self.appdef.extensions.values():
            scope = extension.kind.scope
            for storage in dict.fromkeys(use.storage for use in (*extension.state, *extension.intents)):
                access = accesses.get(str(storage))
                if scope is None or access is None:
                    continue
                if access.provided:
                    sync = providers[storage].sync_projector
                    self.problems += check_use(extension, scope, access, sync_projector=sync)
                else:
                    warnings.append(
                        f"{extension.position}: {extension.kind} {extension.name} uses {storage}, which this "
                        "host does not provide: every operation on it will raise an error"
                    )
        return tuple(warnings)

    def _storage(
        self,
        name: QName,
        provider: Provider,
        values: Values,
        schemas: Schemas,
        entities: Collection[QName],
    ) -> PlannedStorage | None:
        definition = self.appdef.storages[name]
        try:
            shapes = [schemas[entity] for entity in entities if entity != ANY]
            rows_of = {shape: entity_rows(provider, shape) for shape in shapes}
            return PlannedStorage(
                name=str(name),
                provider=provider,
                requires=(),
                rows=share_rows(
                    "storage",
                    str(name),
                    _fields(definition.key, provider.key, provider.default_key),
                    _fields(definition.value, provider.value, provider.default_value),
                ),
                entities=entities_of(rows_of),
                rows_of={
                    **{shape.name: rows for shape, rows in rows_of.items()},
                    **({str(ANY): compile_rows(str(name), (), _ANYTHING)} if ANY in entities else {}),
                },
                # Of a missing value one hears once, not again from every config that takes it.
                config=None if self.unresolved else storage_config(definition, provider.config, values),
                secrets=values.secrets_of(name.package),
                allowances=self._settings_of(name).allow,
                isolation=self.plugins.isolation(str(name)),
            )
        except DescriptorError as error:
            self.problems += error.problems
        except StateholdError as error:
            self.problems.append(str(error))
        return None


def _entities_of(named: Iterable[Iterable[NamedUse]]) -> Mapping[QName, Collection[QName]]:
    """Return the entities that each storage is used with, each once, in the order of their use."""
    found: dict[QName, dict[QName, None]] = {}
    for uses in named:
        for use in uses:
            if use.entity is not None:
                found.setdefault(use.storage, {})[use.entity] = None
    return found


def _fields(*choices: tuple[Field, ...] | None) -> tuple[Field, ...]:
    return next((fields for fields in choices if fields is not None), ())
