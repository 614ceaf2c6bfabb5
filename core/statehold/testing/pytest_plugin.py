"""What pytest loads in every run: it imports nothing heavy, and the kit only when it is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from statehold.hosting import Host
    from statehold.testing._isolating import Isolations
    from statehold.testing.extensions import Projects, Stages

# Its own modules one by one: the package itself is imported by now, which pytest would warn of.
pytest.register_assert_rewrite(
    *(f"statehold.testing.{path.stem}" for path in Path(__file__).parent.glob("_[a-z]*.py"))
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--statehold-report`, `--statehold-report-file` and `--statehold-isolation`."""
    group = parser.getgroup("statehold")
    group.addoption(
        "--statehold-report",
        action="store_true",
        help="print the conformance level that each storage reached",
    )
    group.addoption(
        "--statehold-report-file",
        type=Path,
        metavar="FILE",
        help="write the same as JSON: a list of objects, one for each storage",
    )
    group.addoption(
        "--statehold-isolation",
        choices=("inprocess", "sidecar", "wasm"),
        help="where the conformance kit lets storages run; those that cannot run there are skipped",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Gather what the kit finds, on the process that prints it."""
    if _reports(config) and not hasattr(config, "workerinput"):
        from statehold.testing._report import ConformanceReport  # noqa: PLC0415

        report = ConformanceReport(
            shown=config.getoption("--statehold-report"), file=config.getoption("--statehold-report-file")
        )
        config.pluginmanager.register(report, "statehold-report")


def _reports(config: pytest.Config) -> bool:
    return bool(config.getoption("--statehold-report") or config.getoption("--statehold-report-file"))


@pytest.hookimpl(tryfirst=True)  # before the marks that skip a test
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Write on each test of the kit which scenario it is."""
    if _reports(item.config):
        from statehold.testing._report import mark  # noqa: PLC0415

        mark(item)


def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """Leave out the scenarios of the kit that do not apply to the storage."""
    if isinstance(obj, FunctionType) and isinstance(collector, pytest.Class):
        scenario = getattr(obj, "__statehold__", None)
        if scenario is not None and not scenario.applies_to(collector.obj):
            return []
    return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let each test of the kit run in every isolation that its class names."""
    name = "statehold_isolation"
    isolations = getattr(metafunc.cls, "isolations", ())
    if (
        name in metafunc.fixturenames
        and isolations
        and not metafunc.config.getoption("--statehold-isolation")
    ):
        metafunc.parametrize(name, isolations, indirect=True)


@pytest.fixture
def statehold_isolation(request: pytest.FixtureRequest) -> str | None:
    """Return where the storages of a test of the kit run; None for where they run by themselves."""
    isolation: str | None = getattr(request, "param", None)
    return isolation or request.config.getoption("--statehold-isolation")


@pytest.fixture
def statehold_host(tmp_path: Path) -> Iterator[Host]:
    """Return a host with an empty data folder, which is closed after the test."""
    from statehold.hosting import Host  # noqa: PLC0415

    with Host(tmp_path / "host") as host:
        yield host


@pytest.fixture(scope="session")
def statehold_isolations() -> Iterator[Isolations]:
    """Return what puts providers behind another boundary, for the conformance kit."""
    from statehold.testing._isolating import Isolations  # noqa: PLC0415

    isolations = Isolations()
    yield isolations
    isolations.close()


@pytest.fixture(scope="session")
def statehold_projects() -> Iterator[Projects]:
    """Return what loads each application once for all tests."""
    from statehold.testing.extensions import Projects  # noqa: PLC0415

    projects = Projects()
    yield projects
    projects.close()


@pytest.fixture
def statehold_app(request: pytest.FixtureRequest, statehold_projects: Projects) -> Iterator[Stages]:
    """Return what opens a stage to run extensions on: `statehold_app()`, or `statehold_app(folder)`."""
    from statehold.testing.extensions import Stages  # noqa: PLC0415

    stages = Stages(statehold_projects, request.path)
    yield stages
    stages.close()
