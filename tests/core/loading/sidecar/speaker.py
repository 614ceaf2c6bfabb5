"""A sidecar as somebody writes it who has nothing of Statehold: one lane, one question after the other.

With DEED, it answers GET in a way that no sidecar may.
"""

import os
import struct
import sys

import msgspec

DEED = "none"
FEATURES = []
VERSION = 1

HELLO, DESCRIBE, PING, STOP, OPEN, FREE, PROBE, GET, GETBATCH, READ = 1, 2, 5, 6, 8, 9, 10, 16, 17, 18
VALIDATE, APPLY, MORE, CANCEL, OK, ERROR, ROWS, LOG = 19, 20, 24, 25, 32, 33, 34, 36

encode, decode = msgspec.msgpack.encode, msgspec.msgpack.decode
storages = {}


def take(size):
    data = b""
    while len(data) < size:
        more = os.read(3, size - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data


def say(message):
    raw(struct.pack("<I", len(body := encode(message))) + body)


def raw(data):
    while data:
        data = data[os.write(3, data) :]


def describe():
    field = ["Name", "text", True, None, False, False]
    value = ["Number", "int64", False, None, False, False]
    operations = {each: ["COMMANDS", "QUERIES"] for each in ("GET", "GETBATCH", "READ", "INSERT")}
    provider = {"name": "Foreign", "operations": operations, "key": [field], "value": [value]}
    return {"distribution": "foreign", "version": "1", "providers": [provider]}


METHODS = ["get", "get_batch", "read", "value_to_insert", "validate", "apply_batch"]

while True:
    (length,) = struct.unpack("<I", take(4))
    kind, number, *rest = decode(take(length))
    handle, argument = (rest[0], rest[3]) if rest else (0, None)
    rows = storages.get(handle, {})
    if kind == HELLO:
        say([OK, number, {"version": VERSION, "features": FEATURES}])
    elif kind == DESCRIBE:
        say([OK, number, describe()])
    elif kind == OPEN:
        storages[handle] = {}
        os.write(4, encode([LOG, handle, 20, "opened " + argument["storage"]]))
        say([OK, number, {"type": "Foreign", "methods": METHODS, "usual": ["value_to_insert"]}])
    elif kind == GET and DEED == "garbage":
        raw(b"\x05\x00\x00\x00garba")
    elif kind == GET and DEED == "oversized":
        raw(struct.pack("<I", (64 << 20) + 1) + b"x" * 100)
    elif kind == GET and DEED == "truncated":
        raw(struct.pack("<I", 100) + b"x")
        sys.exit(5)
    elif kind == GET and DEED == "stuck":
        raw(struct.pack("<I", 100) + b"x")
    elif kind == GET and DEED == "late":
        say([OK, number - 1, [1]])
    elif kind == GET and DEED == "twice":
        body = encode([OK, number, [1]])
        raw((struct.pack("<I", len(body)) + body) * 2)
    elif kind == GET and DEED == "unknown":
        say([99, number, [1]])
    elif kind == GET and DEED == "typeless":
        say([OK, number, ["text"]])
    elif kind == GET and DEED == "bomb":
        head = encode([OK, number, None]).replace(b"\x93", b"\x94") + b"\x91\x92\xa6result\xdd"
        body = head + struct.pack(">I", 8 << 20) + b"\x90" * (8 << 20)
        raw(struct.pack("<I", len(body)) + body)
    elif kind == GET and DEED == "names":
        record = msgspec.msgpack.Ext(1, encode(["r", [f"f{each}" for each in range(250_000)], []]))
        say([OK, number, None, [["result", record]]])
    elif kind == GET and DEED == "error":
        say([ERROR, number, "no map"])
    elif kind == GET and DEED == "log":
        os.write(4, b"\xc1")
        take(1)
    elif kind == GET and DEED == "deep log":
        for _ in range(100):
            os.write(4, b"\x95\x24\x00\x14\xa1a" + b"\x91" * 60_000)
        take(1)
    elif kind == GET:
        say([OK, number, rows.get(tuple(argument))])
    elif kind == GETBATCH:
        say([OK, number, [rows.get(tuple(key)) for key in argument]])
    elif kind == READ and DEED == "rowless":
        while True:
            say([ROWS, number, []])
    elif kind == READ:
        found = sorted((key, value) for key, value in rows.items() if list(key)[: len(argument)] == argument)
        if found:
            say([ROWS, number, found])
        say([OK, number, None])
    elif kind == APPLY:
        rows.update({tuple(key): value for key, value, _ in argument})
        say([OK, number, None])
    elif kind == FREE:
        del storages[handle]
        say([OK, number, []])
    elif kind == STOP:
        say([OK, number, None])
        sys.exit(0)
    elif kind not in (MORE, CANCEL):
        say([OK, number, None])
