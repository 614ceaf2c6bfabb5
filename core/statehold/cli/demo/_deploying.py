from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from statehold.cli.demo._teller import Teller
from statehold.hosting import Host

DATA = Path(".statehold")


def deploy(teller: Teller, stack: ExitStack, bank: str) -> Host:
    """Deploy version 1 in a host that is open until *stack* ends."""
    teller.step(
        "Deploy version 1",
        """The kitchen's devices want a password, and the bank's address has a key in it. Secrets are never in
        an image: the operator gives them, and a deploy without them is refused, with nothing changed.""",
    )
    teller.run("statehold deploy acme.bills-1.shi", code=1, says="Scada_Password")
    secrets = DATA / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    for name, value in (("Scada_Password", "let me in"), ("Rates_URL", bank)):
        teller.show(f"echo '{value}' > {secrets}/bills.{name}")
        (secrets / f"bills.{name}").write_text(f"{value}\n", encoding="utf-8")
    host = teller.host = stack.enter_context(Host(DATA, secrets_folder=secrets, apps=()))
    teller.run("statehold deploy acme.bills-1.shi", says="acme.bills 1 is current")
    return host


def deny(teller: Teller) -> None:
    """Let code ask for what its declaration does not permit."""
    teller.step(
        "A denied operation",
        """What `check` refuses in a text, the host refuses in a call, too. Its code holds facades, compiled
        from the declarations, and what is not permitted is not there:""",
    )
    teller.run("statehold matrix acme.bills", says="bills.Scada")
    teller.say(
        """`call` does what an extension could do, here a command that wants to ask a web server. The storage
        never hears of it; the error says who wanted what, where it is declared, and what to do."""
    )
    teller.run(
        """statehold call acme.bills sys.Http READ --scope COMMANDS \\
    --key '{"Url": "http://127.0.0.1/"}'""",
        code=1,
        says="may not READ sys.Http in COMMANDS",
    )
