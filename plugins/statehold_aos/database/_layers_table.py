from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Table

from statehold_aos.database._part import Part
from statehold_aos.database._rows import Layer
from statehold_aos.database._schema import TABLES


class LayersTable(Part):
    """The installed layers."""

    table: ClassVar[Table] = TABLES["layers"]

    def add(self, layer: Layer) -> None:
        """Add a layer; `ExistsError` if there is one of its digest."""
        self._add(f"layer {layer.digest!r}", layer.row())

    def remove(self, digest: str) -> None:
        """Remove the layer of a digest."""
        self._remove(digest=digest)

    def get(self, digest: str) -> Layer:
        """Return the layer of a digest."""
        return Layer.of(self._one(f"layer {digest!r}", digest=digest))

    def path(self, digest: str) -> str:
        """Return where the layer of a digest is."""
        return self.get(digest).path

    def all(self) -> list[Layer]:
        """Return all layers, by digest."""
        return [Layer.of(row) for row in self._all(self._select())]
