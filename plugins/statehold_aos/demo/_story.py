from __future__ import annotations

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from statehold.cli import Teller, Told, silence
from statehold_aos.demo._picture import Picture
from statehold_aos.demo._place import lay_out
from statehold_aos.demo._vehicle import Seen, Vehicle, users_of

if TYPE_CHECKING:
    from statehold_aos.gateway import NewState

ANN: Final = users_of("ann")
BOB: Final = users_of("bob")


def tell(*, quiet: bool = False, color: bool | None = None) -> Told:
    """Tell the story in a temporary folder that is gone afterwards, and return it.

    Raises:
        StateholdError: a step did not do what the story says.

    """
    started = time.monotonic()
    with silence("statehold"), TemporaryDirectory(prefix="statehold-demo-") as folder:
        Path(folder).chmod(0o711)
        lay_out(Path(folder))
        with (
            Vehicle(Path(folder)) as vehicle,
            Teller(Picture(vehicle), quiet=quiet, color=color) as teller,
        ):
            story = Story(vehicle, teller)
            for step in (
                story.begin,
                story.install,
                story.write,
                story.reject,
                story.go_offline,
                story.update,
                story.switch,
                story.fill,
                story.end,
            ):
                step()
            steps = teller.steps
    return Told(seconds=time.monotonic() - started, steps=steps)


class Story:
    """What happens, step by step."""

    def __init__(self, vehicle: Vehicle, teller: Teller) -> None:
        self._vehicle: Final = vehicle
        self._teller: Final = teller

    def begin(self) -> None:
        """Deploy the application."""
        self._teller.step(
            "A vehicle",
            """Ann and Bob share a vehicle. Its services are processes of their own: each of them has a
            user, a storage folder with a limit and a state for each person, and the states are the same in
            the vehicle and in the cloud. Everything here really happens, in a temporary folder and with a
            cloud on this machine.""",
        )
        self._teller.does("statehold deploy aos.fleet")
        self._vehicle.deploy()
        quota = self._vehicle.quota()
        self._teller.note(f"the vehicle is on, its cloud is at {self._vehicle.cloud.url}")
        self._teller.note(f"limits are kept by: {quota}")

    def install(self) -> None:
        """Install two services."""
        self._teller.step("Install", "Ann sits in, and a mechanic installs navigation and radio for her.")
        self._do("SitIn", Names="ann")
        self._do("Install", Service="nav", Image="nav-1")
        self._do("Install", Service="radio", Image="radio-1")
        seconds = self._teller.wait("both services start", lambda: self._runs("nav") and self._runs("radio"))
        self._accepted("nav")
        self._accepted("radio")
        self._teller.note(
            f"both run, started in order and well for a second, after {seconds:.1f} s; nav is process "
            f"{self._see('nav').pid}. Their first states are in the cloud"
        )
        self._teller.show()

    def write(self) -> None:
        """Change a state in the vehicle."""
        self._teller.step(
            "A state goes to the cloud",
            """Ann zooms in. The service replaces the file state.dat; when it was quiet for a second, the new
            state is on its way.""",
        )
        self._turn("zoom 7")
        seconds = self._teller.wait("the cloud has it", lambda: self._zoom() == (7, 7))
        self._accepted("nav")
        self._teller.note(f"accepted {seconds:.2f} s after the knob was turned")

    def reject(self) -> None:
        """Have a state rejected."""
        self._teller.step(
            "Rejected, and restored",
            """The cloud does not take every state: a zoom over 20 shows nothing. It says so, the vehicle asks
            for the state that counts, and writes that back. The service is not restarted for it.""",
        )
        rejected: list[str] = []
        self._vehicle.cloud.hub.judge(lambda new: _judge(new, rejected))
        pid = self._see("nav").pid
        self._turn("zoom 99")
        self._teller.wait("the cloud looks at it", lambda: bool(rejected))
        self._teller.wait("the old state is back", lambda: self._zoom() == (7, 7))
        self._accepted("nav")
        self._teller.expect("navigation to run on", holds=self._see("nav").pid == pid)
        self._teller.note("zoom is 7 again in the same process, and 99 is kept as a version")

    def go_offline(self) -> None:
        """Lose the cloud, and find it again."""
        self._teller.step(
            "A tunnel",
            """The cloud is out of reach. What changes is written down before it is sent, and goes out when
            there is a way again, also after kill -9 and after years.""",
        )
        self._vehicle.cloud.leave()
        self._turn("zoom 9")
        self._teller.wait("the change waits", lambda: self._see("nav").sync == "pending")
        self._teller.expect("the cloud to know nothing of it", holds=self._zoom() == (9, 7))
        self._teller.show()
        self._vehicle.cloud.come_back()
        self._teller.wait("the way is there again", lambda: self._zoom() == (9, 9))
        self._accepted("nav")
        self._teller.note("zoom 9 has arrived, and nobody had to do anything")

    def update(self) -> None:
        """Update a service, well and badly."""
        self._teller.step(
            "Update",
            """Version 2 of navigation gets the storage, the state and the user of version 1. Version 3 was
            never tried by anybody: it does not stay, and version 2 comes back.""",
        )
        self._do("Install", Service="nav", Image="nav-2")
        self._teller.wait("version 2 starts", lambda: self._runs("nav", 2))
        self._turn("night 1")
        self._teller.wait("the map is dark", lambda: json.loads(self._see("nav").here).get("night") is True)
        self._teller.expect("the zoom to be kept", holds=self._zoom()[0] == 9)
        self._accepted("nav")
        self._teller.note("version 2 runs, zoom is still 9, and the map is dark")
        self._do("Install", Service="nav", Image="nav-3")
        self._teller.wait("version 3 fails", lambda: "taken back" in self._see("nav").message)
        self._teller.wait("version 2 starts again", lambda: self._runs("nav", 2))
        self._teller.note(self._see("nav").message)

    def switch(self) -> None:
        """Let somebody else sit in."""
        self._teller.step(
            "Another driver",
            """Bob sits in. Ann's services end, the last started first, and what they write last goes to
            the cloud as well. Navigation is Bob's now, and knows nothing of Ann.""",
        )
        self._do("SitIn", Names="bob")
        self._teller.wait("Ann's services end", lambda: not any(one.users == ANN for one in self._all()))
        self._do("Install", Service="nav", Image="nav-2")
        self._teller.wait("Bob's navigation starts", lambda: self._runs("nav", 2, users=BOB))
        self._accepted("nav")
        self._teller.expect("Bob to have the usual zoom", holds=self._zoom(BOB) == (3, 3))
        self._teller.show()
        self._do("SitIn", Names="ann")
        self._teller.wait("Ann's services start", lambda: self._runs("nav", 2) and self._runs("radio"))
        self._teller.expect("Ann's zoom to be there", holds=self._zoom()[0] == 9)
        state = self._vehicle.cloud.state
        self._teller.wait("the radio's last state arrives", lambda: "switched off" in state("radio", ANN))
        self._teller.note(
            "Ann is back, with her zoom of 9; what the radio wrote when it was switched off arrived"
        )

    def fill(self) -> None:
        """Use more than is allowed."""
        self._teller.step(
            "Too much",
            """Navigation may store 4 MB for all its users together. It gets a map of 2 MB, and then one of
            8 MB.""",
        )
        self._turn("map 2000")
        self._teller.wait("a map arrives", lambda: "got a map of 2000 KiB" in self._vehicle.log("nav"))
        self._turn("map 8000")
        log = self._vehicle.log
        self._teller.wait("another map arrives, or not", lambda: "map of 8000 KiB" in log("nav"))
        self._teller.show()
        refused = [line for line in log("nav").splitlines() if "no room for a map of 8000" in line]
        if refused:
            said = refused[-1].partition(" ")[2].partition(" ")[2]
            self._teller.note(f"the kernel refused it, and navigation goes on. It says: {said}")
        else:
            message = f"{self._see('nav').used:,} bytes are used"
            self._teller.note(
                f"{message}, and nobody refused them: limits are advisory here. As root, they are enforced; "
                "`statehold aos doctor` says how",
                sign="~",
                style="yellow",
            )
        self._turn("zoom 11")
        self._teller.wait("the state still fits", lambda: self._zoom() == (11, 11))
        self._teller.note("states go on as before: zoom 11 is in the cloud")

    def end(self) -> None:
        """End the host."""
        self._teller.step(
            "The end",
            """The vehicle is switched off: services, the last started first, then states, the way to the
            cloud, the database, the limits.""",
        )
        pids = [one.pid for one in self._all() if one.pid is not None]
        self._vehicle.end()
        self._teller.look()
        left = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        self._teller.expect("no process to be left", holds=bool(pids) and not left)
        self._teller.note("both services have ended, and nothing is mounted any more")

    # -- What it looks at ------------------------------------------------------------------------------------

    def _do(self, name: str, **args: object) -> None:
        self._teller.does(f"statehold exec aos.fleet fleet.{name} --args '{json.dumps(args)}'")
        self._vehicle.command(name, args)

    def _turn(self, line: str) -> None:
        self._teller.does(f"echo {line} > .../ann/knob")
        self._teller.wait("navigation listens", lambda: self._vehicle.turn("nav", ANN, line))

    def _all(self) -> list[Seen]:
        return self._vehicle.look()

    def _see(self, service: str) -> Seen:
        return next(one for one in self._all() if one.service == service)

    def _runs(self, service: str, version: int = 1, *, users: str = ANN) -> bool:
        one = self._see(service)
        return (one.status, one.version, one.users) == ("running", version, users)

    def _accepted(self, service: str) -> None:
        self._teller.wait("the cloud answers", lambda: self._see(service).sync == "accepted")

    def _zoom(self, users: str = ANN) -> tuple[Any, Any]:
        """Return the zoom here and in the cloud."""
        here, there = self._see("nav").here, self._vehicle.cloud.state("nav", users)
        return json.loads(here or "{}").get("zoom"), json.loads(there or "{}").get("zoom")


def _judge(new: NewState, rejected: list[str]) -> str:
    if new.claim.service != "nav":
        return ""
    zoom = json.loads(new.state).get("zoom", 0)
    if 1 <= zoom <= 20:
        return ""
    rejected.append(f"zoom is {zoom}, expected 1 to 20")
    return rejected[-1]
