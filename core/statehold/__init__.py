"""Statehold hosts applications that bring their own state-storage engines."""
