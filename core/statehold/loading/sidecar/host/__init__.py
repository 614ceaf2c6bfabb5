"""The side of the host: starts sidecars, asks them, and watches them."""
