"""Work of many kinds that changes what a process was born with, and changes it back; a plugin does it."""

import abc
import ast
import configparser
import contextlib
import dataclasses
import decimal
import enum
import functools
import gc
import inspect
import json
import logging
import queue
import random
import re
import sys
import textwrap
import threading
import types
import weakref

import attrs
import msgspec

from statehold.sdk import Field, Operation, Provider


class Base:
    step = 1

    def stepped(self):
        return self.step


def added(one, other=2, *, more=3):
    return one + other + more


def numbers(pick):
    with decimal.localcontext() as context:
        context.prec = pick.randrange(5, 50)
        try:
            found = decimal.Decimal(1) / decimal.Decimal(pick.randrange(3))
        except decimal.DecimalException as error:
            found = type(error).__name__
        return str(found), str(decimal.Decimal(2).sqrt())


def texts(pick):
    if pick.random() < 0.2:
        re.purge()
    given = {str(number): [number / 7, None, {"a": number}] for number in range(pick.randrange(50))}
    parser = configparser.ConfigParser()
    parser.read_string(f"[a]\nx={pick.randrange(9)}\n")
    pattern = f"(a+){pick.randrange(500)}|[b-{pick.choice('xyz')}]{{1,{pick.randrange(1, 9)}}}"
    found = re.sub(pattern, lambda match: match[0].upper(), "aaab12bbxyzaa3" * 3)
    return json.loads(json.dumps(given)) == given, parser["a"]["x"], found, textwrap.fill("a b c " * 30, 20)


def classes(pick):
    names = [f"f{number}" for number in range(pick.randrange(6))]
    own = {name: (lambda self, name=name: name) for name in names}
    one = type("Own", (Base,), own)()
    one.a, one.b = 1, 2
    usual, number = Base.stepped, pick.randrange(9)
    Base.stepped = lambda self: number
    seen = [one.stepped()]
    Base.stepped, Base.step = usual, 5
    seen.append(one.stepped())
    Base.step = 1
    shape = dataclasses.make_dataclass("Shape", [(name, str) for name in names], order=True)
    record = msgspec.defstruct("Record", [("a", int), ("b", list[str])])
    kinds = enum.Enum("Kinds", ["A", *names])
    registered = abc.ABCMeta("Registered", (), {})
    registered.register(int)
    seen += [repr(shape(*names)), repr(attrs.evolve(attrs.make_class("Pair", ["x", "y"])(1, 2), x=9))]
    seen += [repr(msgspec.json.decode(msgspec.json.encode(record(3, ["a"])), type=record)), len(kinds)]
    return *seen, one.stepped(), [getattr(one, name)() for name in names], isinstance(3, registered)


def patches(pick):
    seen, usual, number = [], json.JSONEncoder.default, pick.randrange(99)
    json.JSONEncoder.default = lambda self, value: ["patched", number]
    try:
        seen.append(json.dumps(object()))
    finally:
        json.JSONEncoder.default = usual
    try:
        json.dumps(object())
    except TypeError as error:
        seen.append(str(error))
    usual = logging.Logger.isEnabledFor
    logging.Logger.isEnabledFor = lambda self, level: False
    seen.append(logging.getLogger("x").isEnabledFor(50))
    logging.Logger.isEnabledFor = usual
    seen.append(logging.getLogger("x").isEnabledFor(50))
    for function, other in ((added, lambda one, other=0, *, more=0: one * other), (textwrap.dedent, str)):
        code = function.__code__
        if inspect.isfunction(other):
            function.__code__ = other.__code__
        seen.append(function("  x" if other is str else 4))
        function.__code__ = code
    defaults, added.__defaults__ = added.__defaults__, (pick.randrange(9),)
    seen.append(added(1))
    added.__defaults__ = defaults
    return *seen, added(1), textwrap.dedent("  x\n  y")


def names(pick):
    name = f"g{pick.randrange(300)}"
    setattr(json, name, 5)
    globals()[name] = 6
    globals()["len"] = lambda _: 77
    seen = [getattr(json, name), globals()[name], len([1])]
    del globals()["len"], globals()[name]
    delattr(json, name)
    sys.modules.setdefault(f"{__name__}_{pick.randrange(3000)}", types.ModuleType("made"))
    logging.getLogger(f"giving.{pick.randrange(300)}").debug("x")
    where = pick.choice([json, logging, decimal, logging.Logger, json.JSONDecoder, threading.Thread])
    where.extra = 1
    del where.extra
    return *seen, len([1]), hasattr(json, name), hasattr(where, "extra")


def threads(pick):
    done = queue.Queue()
    started = [
        threading.Thread(target=lambda number=number: done.put(json.dumps([number])))
        for number in range(pick.randrange(1, 4))
    ]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return sorted(done.get() for _ in started)


def errors(pick):
    def deep(depth):
        if not depth:
            raise KeyError(pick.randrange(9))
        try:
            deep(depth - 1)
        except KeyError as error:
            raise ValueError(depth) from error

    with contextlib.suppress(RecursionError):
        try:
            deep(pick.randrange(1, 20))
        except (KeyError, ValueError) as error:
            return repr(error), repr(error.__cause__)


class Finalized:
    def __del__(self):
        logging.root.__dict__["finalized"] = logging.root.__dict__.get("finalized", 0) + 1


def garbage(pick):
    one, other = Finalized(), Finalized()
    one.other, other.other = other, one
    known = weakref.WeakValueDictionary({1: one})
    if pick.random() < 0.1:
        gc.collect()
    return len(known), sorted({pick.randrange(10**9): None for _ in range(pick.randrange(5000))})[:3]


def code(pick):
    lines = "".join(f"    a += {pick.randrange(9)}\n" for _ in range(pick.randrange(1, 60)))
    source = f"def f(a):\n{lines}    return a\n"
    space = {}
    exec(compile(ast.parse(source), "x", "exec"), space)

    @functools.singledispatch
    def kind(_):
        return "other"

    kind.register(int)(lambda _: "int")
    return (
        space["f"](1),
        str(inspect.signature(space["f"])),
        kind(1),
        kind("a"),
        ast.unparse(ast.parse(source)),
    )


KINDS = (numbers, texts, classes, patches, names, threads, errors, garbage, code)


def work(seed):
    """Do some of it, and return in words what came out."""
    pick = random.Random(seed)
    return repr([(kind.__name__, kind(pick)) for kind in pick.sample(KINDS, 6)])


class Giving:
    def __init__(self, ctx):
        self.ctx = ctx

    def get(self, key):
        if key.What == "given back":
            image = sys.modules["statehold.loading.sidecar.child._image"]
            return self.ctx.value_class(str(image.given_back))
        return self.ctx.value_class(work(int(key.What)))

    def free(self):
        pass


provider = Provider(
    name="Giving",
    open=Giving,
    operations=[Operation.GET],
    key=[Field("What", "text", required=True)],
    value=[Field("Text", "text")],
)
