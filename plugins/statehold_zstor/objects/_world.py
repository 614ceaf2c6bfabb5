from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import attrs

from statehold_zstor.backends import Backend, open_backend
from statehold_zstor.codec import Codec, Compression, MasterKey
from statehold_zstor.config import BackendConfig, Config
from statehold_zstor.metadata import Metadata, ObjectMeta
from statehold_zstor.objects._lanes import Lane
from statehold_zstor.placement import Rules, Spot

#: Opens a backend.
Opener = Callable[[BackendConfig], Backend]


@attrs.define(eq=False, kw_only=True)
class World:
    """All that one configuration names, opened. A call uses the one that it began with to its end.

    Attributes:
        config: the configuration.
        rules: how shards are spread.
        lanes: the ways to the backends of data, and to those that were removed and still have shards.
        groups: the group of each backend that takes shards.
        meta_lanes: the ways to the backends of metadata.
        metadata: those of all objects.

    """

    config: Config
    rules: Rules
    lanes: Mapping[str, Lane]
    groups: Mapping[str, int]
    meta_lanes: Mapping[str, Lane]
    metadata: Metadata
    _codecs: dict[tuple[int, int, int], Codec] = attrs.field(factory=dict)

    @classmethod
    def open(cls, config: Config, opener: Opener = open_backend, *, before: World | None = None) -> World:
        """Open what *config* names; what is equal in the one *before* is taken over."""
        lanes = {
            each.url: _lane(each, opener, before.lanes if before is not None else {})
            for group in config.groups
            for each in group
        }
        metas = {
            each.url: _lane(each, opener, before.meta_lanes if before is not None else {})
            for each in config.meta.backends
        }
        # Who is no longer named is read from, and emptied.
        leaving = {name: lane for name, lane in before.lanes.items() if name not in lanes} if before else {}
        return cls(
            config=config,
            rules=Rules(
                minimal=config.minimal_shards,
                expected=config.expected_shards,
                redundant_groups=config.redundant_groups,
                redundant_nodes=config.redundant_nodes,
            ),
            lanes={**lanes, **leaving},
            groups={each.url: number for number, group in enumerate(config.groups) for each in group},
            meta_lanes=metas,
            metadata=_metadata(config, metas, before),
        )

    def parts(self) -> tuple[Lane | Metadata, ...]:
        """Return all that is to be closed."""
        return (*self.lanes.values(), *self.meta_lanes.values(), self.metadata)

    def codec(self, meta: ObjectMeta | None = None) -> Codec:
        """Return that of an object, or of new ones."""
        rules = self.rules
        shape = (
            (rules.minimal, rules.expected, self.config.block_size)
            if meta is None
            else (meta.minimal, meta.expected, meta.block_size)
        )
        if (found := self._codecs.get(shape)) is None:
            minimal, expected, block_size = shape
            found = self._codecs[shape] = Codec(
                k=minimal,
                m=expected - minimal,
                key=MasterKey.parse(self.config.key.reveal()),
                compression=Compression(self.config.compression),
                block_size=block_size,
            )
        return found

    def rules_for(self, meta: ObjectMeta) -> Rules:
        """Return how the shards of an object are spread, which may be more or fewer than new ones have."""
        return attrs.evolve(self.rules, minimal=meta.minimal, expected=meta.expected)

    def holds(self, meta: ObjectMeta) -> bool:
        """Whether an object has all its shards, spread as they must be, on backends that take shards."""
        if not all(place in self.groups for place in meta.places):
            return False
        rules = self.rules_for(meta)
        return rules.hold(self.groups[place] for place in meta.places)

    def spots(self, *, without: frozenset[str] = frozenset(), patient: bool = False) -> list[Spot]:
        """Return the backends that can be written to now; those that failed lately only if *patient*."""
        since = time.monotonic()  # those that hang are waited for together
        asked = {
            name: self.lanes[name].ask(age=self.config.monitor.health, patient=patient)
            for name in self.groups
            if name not in without
        }
        found = []
        for name, future in asked.items():
            takes, free = self.lanes[name].told(future, since=since) if future is not None else (False, None)
            if takes:
                found.append(Spot(name=name, group=self.groups[name], free=free))
        return found

    def look(self) -> None:
        """Ask all backends of data how they are."""
        for seen in [lane.look() for lane in self.lanes.values()]:
            seen()

    def problems(self) -> str:
        """Return what is wrong with which backend, for an error; empty where nothing is known."""
        return "; ".join(
            f"{name}: {self.lanes[name].trouble.removeprefix(name + ': ')}"
            for name in self.groups
            if self.lanes[name].trouble
        )


def _metadata(config: Config, lanes: Mapping[str, Lane], before: World | None) -> Metadata:
    """Return the metadata of a configuration; those of the one before, where nothing about them is new."""
    if (
        before is not None
        and (before.config.meta, before.config.acknowledge) == (config.meta, config.acknowledge)
        and list(before.meta_lanes.values()) == list(lanes.values())
    ):
        return before.metadata
    return Metadata(
        [lane.backend for lane in lanes.values()],
        minimal=config.meta.minimal,
        key=MasterKey.parse(config.meta.key.reveal()),
        prefix=config.meta.prefix,
        acknowledge=config.acknowledge.metadata,
    )


def _lane(config: BackendConfig, opener: Opener, known: Mapping[str, Lane]) -> Lane:
    found = known.get(config.url)
    return found if found is not None and found.config == config else Lane(config, opener(config))


def shard_size(world: World, size: int, meta: ObjectMeta | None = None) -> int:
    """Return how many bytes a shard of an object of *size* bytes has, about."""
    codec = world.codec(meta)
    whole, rest = divmod(size, codec.block_size)
    return whole * codec.shard_size(codec.block_size) + codec.shard_size(rest)
