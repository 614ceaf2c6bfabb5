"""What is written while versions change places is in the one that is current in the end, wherever it runs."""

from __future__ import annotations

import signal
import time

import pytest

from statehold.hosting import Canary
from statehold.processing import SYSTEM, Request, Runtime
from statehold.sdk import CallContext, DeployError, Scope

HERE, APART = {"isolation": "inprocess"}, {"isolation": "sidecar"}
PAIRS = [(HERE, HERE), (HERE, APART), (APART, HERE), (APART, APART)]
IDS = ["here to here", "here to apart", "apart to here", "apart to apart"]

RESUMES = """
def resume(self, existing):
    self.kept = {(key.WSID, key.Name): value.Text for key, value in existing.rows()}

Box.resume = resume
"""
FAILS = """
def probe(self):
    raise StorageError("told to fail")

Box.probe = probe
"""


class Writer:
    """Puts a row at each step of a change, and knows what was acknowledged."""

    def __init__(self, runtime):
        self.runtime = runtime
        self.rows = {}
        self.stages = []

    def put(self, name, text, workspace=1):
        request = Request(app="acme.den", workspace=workspace, principal=SYSTEM)
        self.runtime.command(request, "den.Put", {"Name": name, "Text": text})
        self.rows[workspace, name] = text

    def __call__(self, step):
        number = len(self.stages)
        self.stages.append(step.stage)
        self.put("same", str(number))
        self.put(f"{step.stage} {number}", "new")

    def lost(self, workspaces=(1,)):
        found = {}
        for workspace in workspaces:
            request = Request(app="acme.den", workspace=workspace, principal=SYSTEM)
            for row in self.runtime.query(request, "den.All", {}):
                found[workspace, row["Name"]] = row["Text"]
        return {key: text for key, text in self.rows.items() if found.get(key) != text}


@pytest.fixture
def writer(runtime):
    return Writer(runtime)


@pytest.fixture
def keeping(open_host, environ):
    """Return a host that keeps the version before, and a writer there."""
    host = open_host(environ=environ, keep=1)
    with Runtime(host) as runtime:
        yield host, Writer(runtime)


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=IDS)
def test_what_is_written_at_each_step_of_an_upgrade_and_a_roll_back_is_there(
    host, den, writer, first, second
):
    host.deploy(den("1", box=first))
    writer.put("old", "1")
    host.deploy(den("2", box=second), accept_breaking=True, progress=writer)
    assert {"open", "probe", "make"} <= set(writer.stages)
    assert writer.lost() == {}
    writer.put("newer", "2")
    host.rollback("acme.den", progress=writer)
    assert writer.lost() == {}


def unfinished(host, runtime, name, text):
    """Begin a call that writes a row, on the version that is current now; return what ends it."""
    borrowed = host.app("acme.den").borrow()
    partition = borrowed.__enter__()
    call = CallContext(scope=Scope.COMMANDS, workspace=1, extension="den.Put")
    state = partition.extension("den.Put").state(call)
    state.new_value(state.key("den.Box", Name=name), Text=text)

    def end():
        state.apply_intents()
        borrowed.__exit__(None, None, None)

    return end


@pytest.mark.parametrize(("first", "second"), PAIRS[1:3], ids=IDS[1:3])
def test_what_a_call_in_flight_writes_to_the_version_before_is_there(host, den, writer, first, second):
    host.deploy(den("1", box=first))
    before = host.app("acme.den").current
    end = unfinished(host, writer.runtime, "late", "1")
    host.deploy(den("2", box=second), accept_breaking=True)
    end()
    assert before.wait_freed(60).problems == ()
    writer.rows[1, "late"] = "1"
    assert writer.lost() == {}


def test_what_a_call_in_flight_writes_is_there_two_versions_later(host, den, writer):
    host.deploy(den("1", box=HERE))
    end = unfinished(host, writer.runtime, "late", "1")
    host.deploy(den("2", box=APART))
    second = host.app("acme.den").current
    host.deploy(den("3", box=HERE), accept_breaking=True)
    second.wait_freed(60)
    end()
    writer.rows[1, "late"] = "1"
    assert writer.lost() == {}


@pytest.mark.parametrize(
    ("box", "resumes"), [(HERE, True), (APART, True), (APART, False)], ids=["here", "apart", "anew"]
)
def test_a_version_that_was_kept_has_what_was_written_meanwhile(keeping, den, box, resumes):
    host, writer = keeping
    after = RESUMES if resumes else ""
    first = host.deploy(den("1", box=box, after=after))
    writer.put("a", "1")
    host.deploy(den("2", box=box, after=after), progress=writer)
    writer.put("a", "2")
    writer.put("b", "2")
    for name in ("1", "2"):
        version = host.rollback("acme.den", progress=writer)
        assert version.name == name
        assert writer.lost() == {}
        writer.put("a", f"after {name}")
    assert (host.app("acme.den").kept == (first,)) is resumes
    assert ("resume" in writer.stages) is resumes


@pytest.mark.parametrize(
    ("box", "is_good"), [(HERE, False), (APART, True), (APART, False)], ids=["here bad", "good", "bad"]
)
def test_what_is_written_while_a_version_is_tried_is_there_in_all_partitions(host, den, writer, box, is_good):
    places = (1, 2, 3)

    def act(step):
        for workspace in places:
            writer.put("same", step.stage, workspace)
            writer.put(f"{step.stage} {len(writer.rows)}", "new", workspace)
        if step.stage == "canary" and not is_good:
            raise KeyboardInterrupt

    settings = {"NumParts": 3, "NumAppWorkspaces": 3}
    host.deploy(den("1", box=box, **settings))
    try:
        host.deploy(den("2", box=box, **settings), canary=Canary(share=0.4, seconds=0.2), progress=act)
    except KeyboardInterrupt:
        assert not is_good
    assert host.app("acme.den").current.name == ("2" if is_good else "1")
    assert writer.lost(places) == {}


def test_a_version_that_was_open_beside_takes_over_when_it_is_activated(host, den, writer):
    host.deploy(den("1", box=APART))
    host.deploy(den("2", box=APART), activate=False)
    writer.put("a", "1")
    host.activate("acme.den", "2", progress=writer)
    assert writer.lost() == {}


def test_a_deploy_that_fails_leaves_what_ran_as_it_was(host, den, writer):
    host.deploy(den("1", box=APART))
    with pytest.raises(DeployError, match="told to fail"):
        host.deploy(den("2", box=APART, after=FAILS), progress=writer)
    writer.put("b", "2")
    assert writer.lost() == {}
    host.deploy(den("3", box=APART), progress=writer)
    assert writer.lost() == {}


def test_a_version_whose_process_failed_after_it_had_taken_over_does_not_become_current(host, den, writer):
    host.deploy(den("1", box=APART))
    writer.put("a", "1")

    def kill(step):
        if step.stage == "make":
            group = host._retirer.live[-1].storages[0]["den.Box"].impl.group
            signal.pidfd_send_signal(group.pidfd, signal.SIGKILL)
            end = time.monotonic() + 60
            while group.starts < 2 and time.monotonic() < end:
                time.sleep(0.01)

    with pytest.raises(DeployError, match="so has lost them"):
        host.deploy(den("2", box=APART), progress=kill)
    assert host.app("acme.den").current.name == "1"
    assert writer.lost() == {}


def test_a_version_whose_process_does_not_run_at_the_swap_does_not_become_current(
    host, den, writer, monkeypatch
):
    host.deploy(den("1", box=APART))
    writer.put("a", "1")

    def kill(step):
        if step.stage == "make":
            group = host._retirer.live[-1].storages[0]["den.Box"].impl.group
            # It takes its time to be started again.
            monkeypatch.setattr(group._keeper, "_plan_start", lambda: None)
            signal.pidfd_send_signal(group.pidfd, signal.SIGKILL)
            end = time.monotonic() + 60
            while group.is_running and time.monotonic() < end:
                time.sleep(0.01)

    with pytest.raises(DeployError, match="so has lost them"):
        host.deploy(den("2", box=APART), progress=kill)
    assert host.app("acme.den").current.name == "1"
    assert writer.lost() == {}


def test_a_version_whose_process_hangs_at_the_swap_does_not_become_current_and_calls_go_on(host, den, writer):
    host.deploy(den("1", box=APART))

    def stop(step):
        if step.stage == "probe":
            writer.put("a", "1")
        if step.stage == "make":
            group = host._retirer.live[-1].storages[0]["den.Box"].impl.group
            signal.pidfd_send_signal(group.pidfd, signal.SIGSTOP)

    hasty = {**APART, "limits": {"deadline": 0.5}}
    with pytest.raises(DeployError, match=r"den\.Box .*could not be given .*gave no answer within 0\.5 s"):
        host.deploy(den("2", box=hasty), progress=stop)
    assert host.app("acme.den").current.name == "1"
    writer.put("b", "2")
    assert writer.lost() == {}


def test_a_row_that_the_new_version_refuses_keeps_it_from_becoming_current(host, den, writer):
    host.deploy(den("1", box=APART, after=TAKES_ALL))
    with pytest.raises(DeployError, match=r"refuses 1 of the rows that were .*: .*the box refuses"):
        host.deploy(
            den("2", box=APART), progress=lambda step: step.stage == "probe" and writer.put("a", "no")
        )
    assert host.app("acme.den").current.name == "1"
    assert writer.lost() == {}


TAKES_ALL = """
Box.validate = lambda self, items: None
"""
