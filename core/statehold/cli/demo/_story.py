from __future__ import annotations

import shutil
import time
import zipfile
from contextlib import ExitStack, chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from statehold.cli._output import Output
from statehold.cli.demo._rates import RatesServer
from statehold.cli.demo._samples import sample
from statehold.cli.demo._teller import Teller

if TYPE_CHECKING:
    from statehold.hosting import AppVersion

_PACKAGE = Path("acme.bills/image/pkg/acme.example/bills")
_OVEN = """bills.Scada {} \\
    --key '{{"Device": "oven", "Point": "heat"}}'"""


def tell(out: Output) -> None:
    """Tell the story in a temporary folder that is gone afterwards.

    Raises:
        StateholdError: a step did not do what the story says.

    """
    started = time.monotonic()
    teller = Teller(out)
    with TemporaryDirectory(prefix="statehold-demo-") as folder, chdir(folder), ExitStack() as stack:
        rates = stack.enter_context(RatesServer())
        _begin(teller)
        _check(teller)
        _pack(teller)
        _verify(teller)
        _deploy(teller, stack)
        _use(teller, rates.url)
        _deny(teller, rates.url)
        _second_version(teller)
        _switch(teller)
        _matrix(teller)
        _free(teller)
    seconds = time.monotonic() - started
    _end(teller, seconds)
    out.document({"seconds": round(seconds, 2), "steps": teller.steps})


def _begin(teller: Teller) -> None:
    shutil.copytree(sample("acme.bills"), "acme.bills", ignore=shutil.ignore_patterns("__pycache__"))
    teller.say(
        """acme.bills is a restaurant's application: waiters open bills, guests pay in their own currency,
        and ovens are read through a storage plugin that the application brings along. This is its life, from
        source to removal. Every command is real; it runs on a copy of the sample in a temporary folder."""
    )


def _check(teller: Teller) -> None:
    teller.step(
        "Check",
        """The application declares its storages, and in which scope each operation may be used: in
        commands, queries, projectors or jobs. `check` reads the declarations and runs none of its code.""",
    )
    teller.run("statehold check acme.bills", says="no errors")
    teller.say(
        """Now somebody lets the command PayBill ask a web server for the rate. A guest who pays would wait
        for that server, so sys.Http is not for commands, and `check` says so:"""
    )
    shutil.copytree("acme.bills", "draft/acme.bills")
    draft = "draft" / _PACKAGE / "bills.vsql"
    text = draft.read_text(encoding="utf-8")
    changed = text.replace("STATE(Bills, Rates)  ", "STATE(Bills, sys.Http)")
    teller.expect(changed != text, "the declaration of PayBill in bills.vsql")
    draft.write_text(changed, encoding="utf-8")
    teller.run("statehold check draft/acme.bills", code=1, says="sys.Http")


def _pack(teller: Teller) -> None:
    teller.step(
        "Pack",
        """`build` makes one file of the folder: declarations, plugin, descriptor, and a manifest with the
        digest of each. Building is reproducible: the same source gives the same bytes.""",
    )
    teller.run("statehold build acme.bills", says="acme.bills-1.shi")
    first = Path("acme.bills-1.shi").read_bytes()
    teller.run("statehold build acme.bills --output again.shi")
    teller.expect(Path("again.shi").read_bytes() == first, "the second build to have the bytes of the first")
    teller.run("statehold inspect acme.bills-1.shi", says="Scada")


def _verify(teller: Teller) -> None:
    teller.step(
        "Verify",
        """A host trusts no image before it has checked every name, size and digest in it. Here is the image
        as it was built, and a copy in which somebody put a line into the declarations.""",
    )
    teller.run("statehold verify acme.bills-1.shi")
    with zipfile.ZipFile("acme.bills-1.shi") as image, zipfile.ZipFile("tampered.shi", "w") as copy:
        for name in image.namelist():
            content = image.read(name)
            copy.writestr(name, content + b"-- oops\n" if name.endswith(".vsql") else content)
    teller.run("statehold verify tampered.shi", code=1, says="is refused")


def _deploy(teller: Teller, stack: ExitStack) -> None:
    from statehold.hosting import Host  # noqa: PLC0415

    teller.step(
        "Deploy version 1",
        """The kitchen's devices want a password. A secret is never in an image: the operator gives it, and a
        deploy without it is refused, with nothing changed.""",
    )
    teller.run("statehold deploy acme.bills-1.shi", code=1, says="Scada_Password")
    secrets = Path(".statehold/secrets")
    teller.show(f"mkdir -p {secrets}\n$ echo 'let me in' > {secrets}/bills.Scada_Password")
    secrets.mkdir(parents=True, exist_ok=True)
    (secrets / "bills.Scada_Password").write_text("let me in\n", encoding="utf-8")
    teller.host = stack.enter_context(Host(Path(".statehold"), secrets_folder=secrets, apps=()))
    teller.run("statehold deploy acme.bills-1.shi", says="acme.bills 1 is current")


def _use(teller: Teller, rates: str) -> None:
    teller.step(
        "Use its storages, each in its scope",
        """`call` does what an extension would do. A job may ask the world: this server runs on the loopback
        for the demo, and the operator allowed that address in descriptor.json.""",
    )
    teller.run(
        f"""statehold call acme.bills sys.Http READ --scope JOBS \\
    --key '{{"Url": "{rates}"}}'""",
        says="1.08",
    )
    teller.say("The job stores what it found in the table Rates, a durable one:")
    teller.run(
        """statehold call acme.bills bills.Rates INSERT --scope JOBS \\
    --key '{"Currency": "USD"}' --value '{"PerEuro": 1.08, "FetchedAt": 0}'""",
        brief=True,
    )
    teller.say("Commands lock a table in memory, open a bill and put dishes on it. Money is in 1/10000.")
    teller.run(
        """statehold call acme.bills bills.TableLocks INSERT --scope COMMANDS \\
    --key '{"TableNumber": 7}' --value '{"Waiter": "Ada", "Since": 0}'""",
        brief=True,
    )
    teller.run(
        """statehold call acme.bills bills.Bills INSERT --scope COMMANDS \\
    --key '{"Number": 1}' \\
    --value '{"TableNumber": 7, "Waiter": "Ada", "Total": 305000}'"""
    )
    for line, dish, price in ((1, "Soup", 65000), (2, "Pizza", 120000)):
        teller.run(
            f"""statehold call acme.bills bills.BillLines INSERT --scope COMMANDS \\
    --key '{{"Number": 1, "Line": {line}}}' \\
    --value '{{"Dish": "{dish}", "Quantity": {line}, "Price": {price}}}'""",
            brief=True,
        )
    teller.say("A query reads the dishes of bill 1, in order, by the first field of the key:")
    teller.run(
        """statehold call acme.bills bills.BillLines READ --scope QUERIES \\
    --key '{"Number": 1}'""",
        says="2 rows",
    )
    teller.say("A projector keeps the turnover of the day:")
    teller.run(
        """statehold call acme.bills bills.Turnover INSERT --scope PROJECTORS \\
    --key '{"Day": 20260101}' --value '{"Bills": 1, "Total": 305000}'""",
        brief=True,
    )
    teller.say("And the plugin of the image takes the heat of the oven, three times:")
    for degrees in (180.0, 184.0, 206.0):
        teller.run(
            f"""statehold call acme.bills {_OVEN.format("INSERT --scope COMMANDS")} \\
    --value '{{"Reading": {degrees}}}'""",
            brief=True,
        )


def _deny(teller: Teller, rates: str) -> None:
    teller.step(
        "A denied operation",
        """What `check` refuses in a text, the host refuses in a call, too. The plugin is never reached; the
        error says who wanted what, where it is declared, and how it could be permitted.""",
    )
    teller.run(
        f"""statehold call acme.bills sys.Http READ --scope COMMANDS \\
    --key '{{"Url": "{rates}"}}'""",
        code=1,
        says="sys.Http",
    )


def _second_version(teller: Teller) -> None:
    teller.step(
        "Version 2, beside version 1",
        """One reading of the oven jumps about too much: version 2 of the plugin answers with the mean of the
        last three. It has the same package name and the same modules as version 1.""",
    )
    teller.show("cp -r acme.bills/version-2/. acme.bills/")
    shutil.copytree("acme.bills/version-2", "acme.bills", dirs_exist_ok=True)
    teller.run("statehold build acme.bills", says="acme.bills-2.shi")
    teller.run("statehold deploy acme.bills-2.shi --beside", says="beside the current")
    teller.say("Both are open now, in one process, and each answers with its own code:")
    read = f"statehold call acme.bills {_OVEN.format('GET --scope QUERIES')}"
    teller.run(read, says="Reading: 206.0")
    teller.run(f"{read} \\\n    --version 2", says="Reading: 190.0")


def _switch(teller: Teller) -> None:
    teller.step(
        "Activate and roll back",
        """Making a version current is one step: calls in flight finish on the version they began on, new
        ones start on the new one. So is going back. When the last call on a version has returned, its
        storages are freed, each exactly once and in reverse order, and its plugin is unloaded: the host
        proves by weak references that nothing of it is left.""",
    )
    read = f"statehold call acme.bills {_OVEN.format('GET --scope QUERIES')}"
    teller.run("statehold activate acme.bills 2", says="acme.bills 2 is current")
    teller.run(read, says="Reading: 190.0")
    assert teller.host is not None  # noqa: S101  step 4 opened it
    second = teller.host.app("acme.bills").version("2")
    teller.run("statehold rollback acme.bills", says="acme.bills 1 is current")
    _report(teller, second)
    teller.run(read, says="Reading: 206.0")
    teller.run("statehold apps", says="current")


def _matrix(teller: Teller) -> None:
    teller.step(
        "Who may do what",
        "The declarations of all storages at a glance, as the host enforces them:",
    )
    teller.run("statehold matrix acme.bills", says="bills.Scada")


def _free(teller: Teller) -> None:
    teller.step(
        "Remove it",
        """Undeploying frees the storages of the current version, too. The rows stay in the data folder.""",
    )
    assert teller.host is not None  # noqa: S101  step 4 opened it
    versions = teller.host.app("acme.bills").versions
    teller.run("statehold undeploy acme.bills", says="acme.bills is gone")
    for version in versions:
        _report(teller, version)
    teller.run("statehold apps", says="No apps")


def _report(teller: Teller, version: AppVersion) -> None:
    report = version.wait_freed(10)
    problems = (*report.problems, *report.survivors)
    teller.expect(not problems, f"version {report.version} to be freed without a trace, got {problems}")
    teller.say(f"Version {report.version}: {report.storages} storages freed, nothing of its plugin is left.")


def _end(teller: Teller, seconds: float) -> None:
    teller.say(f"That was all of it, in {seconds:.1f} seconds, and the temporary folder is gone. From here:")
    teller.show(
        "statehold new app you.shop       # an application of your own, with a test\n"
        "$ statehold new plugin red-box     # a storage plugin to install"
    )
    teller.say(
        "The source of acme.bills is app_images/acme.bills, the documentation begins at docs/index.md."
    )
