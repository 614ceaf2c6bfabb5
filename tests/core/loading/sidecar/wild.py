"""A storage that does what its key says; the tests make a plugin file of it."""

import ctypes
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from statehold.sdk import Field, Operation, Provider, StorageError, fields, merge


class OwnError(StorageError):
    pass


class Foreign(Exception):
    pass


def attempt(code):
    """Run code, and return what it leaves in `result`, or the name of its error."""
    space = {}
    try:
        exec(code, space)
    except BaseException as error:
        return type(error).__name__
    return f"done: {space.get('result')}"


class Wild:
    def __init__(self, ctx):
        self.ctx = ctx
        self.rows = {}
        self.produced = 0
        self.closed = threading.Event()
        if ctx.existing is not None:
            self.rows["existing"] = repr(
                [
                    fields(ctx.existing.get(ctx.key_class(1, "a"))),
                    [
                        one and fields(one)
                        for one in ctx.existing.get_batch([ctx.key_class(1, "a"), ctx.key_class(1, "?")])
                    ],
                    [(fields(key), fields(value)) for key, value in ctx.existing.read(ctx.key_class(1, "a"))],
                ]
            )

    def do(self, what):
        verb, _, rest = what.partition(" ")
        if verb == "exit":
            os._exit(int(rest))
        elif verb == "segv":
            ctypes.string_at(0)
        elif verb == "hang":
            threading.Event().wait()
        elif verb == "linger":
            print(rest)
            threading.Event().wait()
        elif verb == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
            threading.Event().wait()
        elif verb == "memory":
            return str(len(bytearray(int(rest))))
        elif verb == "die-once":
            if not Path(rest).exists():
                Path(rest).touch()
                os._exit(9)
            return "again"
        elif verb == "die-always":
            with Path(rest).open("a") as file:
                file.write("x")
            os._exit(9)
        elif verb == "raise":
            kinds = {
                "StorageError": StorageError("no", hint="Do it"),
                "own": OwnError("mine"),
                "KeyError": KeyError("k"),
                "OSError": OSError(2, "gone", "/x"),
                "foreign": Foreign("far"),
                "exit": SystemExit(4),
            }
            raise kinds[rest]
        elif verb == "schema":
            self.ctx.value(Nonsense=1)
        elif verb == "print":
            print(rest)
        elif verb == "warn":
            print(rest, file=sys.stderr)
        elif verb == "flood":
            for number in range(int(rest)):
                print("line", number)
        elif verb == "log":
            level, _, text = rest.partition(" ")
            self.ctx.logger.log(int(level), text)
        elif verb == "rootlog":
            logging.getLogger("elsewhere").error(rest)
        elif verb == "pid":
            return str(os.getpid())
        elif verb == "eval":
            return str(eval(rest, {"ctx": self.ctx, "self": self, "os": os, "Path": Path, "sys": sys}))
        elif verb == "try":
            return attempt(rest)
        elif verb == "big":
            return "x" * int(rest)
        elif verb == "wrong":
            return 5
        elif verb == "closed":
            return str(self.closed.wait(30))
        return self.rows.get(what)

    def get(self, key):
        found = self.do(key.What)
        return None if found is None else self.ctx.value_class(found)

    def get_batch(self, keys):
        return [self.get(key) for key in keys]

    def read(self, key):
        if key.What.startswith("rows "):
            return self._many(key.What)
        return iter([(key, self.get(key))])

    def _many(self, what):
        _, count, size = what.split()
        try:
            for number in range(int(count)):
                self.produced += 1
                yield self.ctx.key_class(1, str(number)), self.ctx.value_class("x" * int(size))
        finally:
            self.closed.set()

    def value_to_insert(self, key, value):
        return value

    def value_to_update(self, key, existing, changes):
        return merge(existing, changes)

    def validate(self, items):
        for one in items:
            if one.key.What.startswith("validate "):
                self.do(one.key.What.removeprefix("validate "))
            if one.key.What == "refused":
                raise StorageError("refused")

    def apply_batch(self, items):
        for one in items:
            self.do(one.value.Text or "")
            self.rows[one.key.What] = one.value.Text

    def probe(self):
        if "unwell" in self.rows:
            raise StorageError("unwell")

    def free(self):
        if "bad" in self.rows:
            raise StorageError("cannot be freed")


provider = Provider(
    name="Wild",
    open=Wild,
    operations=list(Operation),
    key=[Field("What", "text", required=True)],
    value=[Field("Text", "text")],
)
