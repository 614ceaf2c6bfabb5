"""A node: its disks, pools on them, and namespaces in those, brought up in this order and looked after."""

from __future__ import annotations

from statehold_zos.node._figures import Figures
from statehold_zos.node._metrics import Collector
from statehold_zos.node._node import Node, Reconciled
from statehold_zos.node._serving import serve_metrics

__all__ = ["Collector", "Figures", "Node", "Reconciled", "serve_metrics"]
