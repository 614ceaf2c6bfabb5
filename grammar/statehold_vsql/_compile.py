from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from statehold_vsql._contract import Contract
from statehold_vsql._diagnostic import Diagnostic
from statehold_vsql.appdef import AppDef
from statehold_vsql.semantics import Package, Report, SourceFile, analyse
from statehold_vsql.syntax import parse_file


@attrs.frozen(kw_only=True)
class Compilation:
    """What came of compiling an application: `appdef` is None if any diagnostic is an error."""

    appdef: AppDef | None
    diagnostics: tuple[Diagnostic, ...]


def compile_app(
    packages: Mapping[str, Mapping[str, str]],
    *,
    contracts: Mapping[str, Contract] | None = None,
    with_plugin: Collection[str] = (),
) -> Compilation:
    """Compile an application, and report all independent errors of all its files.

    `packages` maps the path of each package to its files, name to text. Only what is passed is
    compiled: `sys` too. `contracts`, by provider name, say what known providers offer; storages of
    ENGINE BUILTIN and PYPLUGIN are held against them. Without them that is left to the deployment, and
    so it is with PYPLUGIN in the packages of `with_plugin`: what their own plugin brings comes first there.
    Diagnostics come in the order of packages and files as given, then of the text. Never raises.
    """
    report = Report()
    parsed: list[Package] = []
    for path, files in packages.items():
        package = Package(path, len(parsed))
        parsed.append(package)
        _parse(package, files, report)
    appdef = analyse(parsed, report, contracts, with_plugin)
    return Compilation(appdef=appdef, diagnostics=report.diagnostics())


def _parse(package: Package, files: Mapping[str, str], report: Report) -> None:
    if not package.path:
        report.error_in_package("", "no-package-path", "a package was passed under an empty path")
    if not files:
        report.error_in_package(
            package.path,
            "no-files",
            f"package {package.path} has no files",
            "a package has at least one .vsql or .sql file",
        )
        package.is_partial = True
    damaged: set[str] = set()
    for name, text in files.items():
        file = SourceFile(
            package, name, len(package.files), parse_file(text, file=name, package=package.path)
        )
        package.files.append(file)
        report.parsed(file, file.parsed.diagnostics)
        damaged |= file.parsed.damaged_names
        package.is_partial = package.is_partial or file.parsed.is_partial
    package.damaged = frozenset(damaged)
