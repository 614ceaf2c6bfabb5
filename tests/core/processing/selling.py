"""A process that sells in a shop from several threads, and says on its output what was acknowledged."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import traceback
import types
from pathlib import Path

from statehold.hosting import Host
from statehold.processing import SYSTEM, Request, Runtime

CLIENTS = 6
WORKSPACES = 4


def main(folder: str, turn: str) -> None:
    probe = types.ModuleType("shop_probe")
    probe.call = lambda *_: None
    probe.sent = []
    sys.modules["shop_probe"] = probe
    out = threading.Lock()
    with Host(Path(folder), environ={}) as host, Runtime(host) as runtime:

        def client(number: int) -> None:
            try:
                sell(number)
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)

        def sell(number: int) -> None:
            for count in itertools.count():
                workspace = (number + count) % WORKSPACES + 1
                article = f"t{turn}c{number}n{count}"
                request = Request(app="acme.shop", workspace=workspace, principal=SYSTEM)
                mode = "announce" if count % 5 == 0 else "wire" if count % 7 == 0 else None
                args = {"Article": article, "Amount": count} | ({"Mode": mode} if mode else {})
                runtime.command(request, "shop.Sell", args)
                with out:
                    sys.stdout.write(f"{workspace} {article}\n")
                    sys.stdout.flush()

        threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        # The parent ends this process; without one it ends by itself.
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
