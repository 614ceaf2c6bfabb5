"""The numbers of the protocol, as `docs/sidecar-protocol.md` lists them."""

from __future__ import annotations

from typing import Final

VERSIONS: Final = (1,)
#: A frame's header: the length of what follows, little endian.
HEADER: Final = "<I"
MAX_FRAME: Final = 64 * 1024 * 1024

# What the host asks: [kind, id, handle, schema, call, argument].
HELLO: Final = 1
DESCRIBE: Final = 2
CHECK_CONFIG: Final = 3
LANE: Final = 4
PING: Final = 5
STOP: Final = 6
OPEN: Final = 8
FREE: Final = 9
PROBE: Final = 10
RESUME: Final = 11
GET: Final = 16
GETBATCH: Final = 17
READ: Final = 18
VALIDATE: Final = 19
APPLY: Final = 20
TO_INSERT: Final = 21
TO_UPDATE: Final = 22
#: Within a READ: one more chunk may be sent; no more rows are wanted. [kind, id]
MORE: Final = 24
CANCEL: Final = 25

# What the sidecar answers: [kind, id, result, effects].
OK: Final = 32
ERROR: Final = 33
ROWS: Final = 34
#: On the log lane: [kind, handle, level, message].
LOG: Final = 36
# What the sidecar asks while OPEN or RESUME runs, of the storage of the version before: [kind, id, argument].
EXISTING_GET: Final = 40
EXISTING_GETBATCH: Final = 41
EXISTING_READ: Final = 42

#: Extension types of msgpack: a row or record `[name, fields, values]`; a tuple `[...]`.
RECORD: Final = 1
TUPLE: Final = 2

#: How many chunks of rows may be under way in a READ.
CREDIT: Final = 2
CHUNK_ROWS: Final = 512
CHUNK_BYTES: Final = 128 * 1024
CHUNK_SECONDS: Final = 0.05

#: File descriptors of the process when it starts.
CONTROL_FD: Final = 3
LOG_FD: Final = 4

#: The feature of a sidecar that takes further lanes.
LANES: Final = "lanes"
