"""0-db: an append-only key-value store with namespaces, as a storage and as a server that speaks RESP."""
