"""The 0-OS storage module: disks, storage pools on them, and 0-db namespaces."""
