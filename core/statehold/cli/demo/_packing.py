from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from statehold.cli.demo._teller import Teller

_DECLARATIONS = Path("acme.bills/image/pkg/acme.example/bills/bills.vsql")
_STATE = "STATE(TableLocks, sys.Record(Bill), sys.View(Rates))"


def check(teller: Teller) -> None:
    """Check the declarations, and those of a draft with a mistake."""
    teller.step(
        "Check",
        """The application declares what it keeps, and what each command, query, projector and job may use
        of it. `check` reads the declarations and runs none of its code.""",
    )
    teller.run("statehold check acme.bills", says="no errors")
    teller.say(
        """Now somebody lets the command PayBill ask a web server for the rate. A guest who pays would wait
        for that server, so sys.Http is not for commands, and `check` says so:"""
    )
    shutil.copytree("acme.bills", "draft/acme.bills")
    draft = "draft" / _DECLARATIONS
    text = draft.read_text(encoding="utf-8")
    changed = text.replace(_STATE, f"{_STATE[:-1]}, sys.Http)")
    teller.expect(changed != text, "the declaration of PayBill in bills.vsql")
    draft.write_text(changed, encoding="utf-8")
    teller.run("statehold check draft/acme.bills", code=1, says="sys.Http")


def pack(teller: Teller) -> None:
    """Build an image, twice, and verify it and a damaged copy."""
    teller.step(
        "Pack",
        """`build` makes one file of the folder: declarations, code, plugin, descriptor, and a manifest with
        the digest of each. The same source gives the same bytes. A host verifies all of it before it runs
        any: here is a copy in which somebody put a line into the declarations.""",
    )
    teller.run("statehold build acme.bills", says="acme.bills-1.shi")
    first = Path("acme.bills-1.shi").read_bytes()
    teller.run("statehold build acme.bills --output again.shi", brief=True)
    teller.expect(Path("again.shi").read_bytes() == first, "the second build to have the bytes of the first")
    with zipfile.ZipFile("acme.bills-1.shi") as image, zipfile.ZipFile("tampered.shi", "w") as copy:
        for name in image.namelist():
            content = image.read(name)
            copy.writestr(name, content + b"-- oops\n" if name.endswith(".vsql") else content)
    teller.run("statehold verify tampered.shi", code=1, says="is refused")
