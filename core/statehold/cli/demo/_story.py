from __future__ import annotations

import shutil
import time
from contextlib import ExitStack, chdir
from tempfile import TemporaryDirectory

from statehold.cli._output import Output
from statehold.cli.demo._deploying import deny, deploy
from statehold.cli.demo._packing import check, pack
from statehold.cli.demo._rates import RatesServer
from statehold.cli.demo._samples import sample
from statehold.cli.demo._serving import serve
from statehold.cli.demo._teller import Teller
from statehold.cli.demo._upgrading import remove, upgrade
from statehold.cli.demo._working import pay, run_job, work


def tell(out: Output) -> None:
    """Tell the story in a temporary folder that is gone afterwards.

    Raises:
        StateholdError: a step did not do what the story says.

    """
    started = time.monotonic()
    teller = Teller(out)
    with TemporaryDirectory(prefix="statehold-demo-") as folder, chdir(folder), ExitStack() as stack:
        bank = stack.enter_context(RatesServer())
        _begin(teller)
        check(teller)
        pack(teller)
        host = deploy(teller, stack, bank.url)
        deny(teller)
        place = serve(teller, stack, host)
        bill = work(teller, place)
        run_job(teller, place, bill)
        pay(teller, place, bill)
        upgrade(teller, place)
        remove(teller, place)
    seconds = time.monotonic() - started
    _end(teller, seconds)
    out.document({"seconds": round(seconds, 2), "steps": teller.steps})


def _begin(teller: Teller) -> None:
    shutil.copytree(sample("acme.bills"), "acme.bills", ignore=shutil.ignore_patterns("__pycache__"))
    teller.say(
        """acme.bills is a restaurant's application: waiters open bills, guests pay in their own currency,
        and ovens are read through a storage plugin that the application brings along. This is its life, from
        source to removal. Everything here really happens, on a copy of the sample in a temporary folder."""
    )


def _end(teller: Teller, seconds: float) -> None:
    teller.say(f"That was all of it, in {seconds:.1f} seconds, and the temporary folder is gone. From here:")
    teller.show(
        "statehold new app you.shop       # an application of your own, with a test\n"
        "$ statehold new plugin red-box     # a storage plugin to install"
    )
    teller.say(
        "The source of acme.bills is app_images/acme.bills, the documentation begins at docs/index.md."
    )
