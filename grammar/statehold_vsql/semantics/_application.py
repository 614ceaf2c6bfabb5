from __future__ import annotations

import re

from statehold_vsql.semantics._model import ImportedPackage, Model, Package, Place, head
from statehold_vsql.semantics._names import report_missing_import
from statehold_vsql.semantics._report import Report
from statehold_vsql.syntax import nodes as n

_IDENTIFIER = re.compile(r"[a-zA-Z]\w{0,254}", re.ASCII)


def define_application(model: Model, report: Report) -> None:
    """Find the APPLICATION, give every package its local name, and check all imports."""
    place = _find_application(model, report)
    for package in model.packages:
        package.name = "sys" if package.is_sys else package.path.rpartition("/")[2]
        if package.is_sys:
            model.sys = package
    by_path = {package.path: package for package in model.packages}
    for package in model.packages:
        _read_imports(package, by_path)
    if place is not None and model.application is not None:
        _name_packages(model, model.application, place, report)
    local_names: dict[str, str] = {}
    for package in model.packages:
        _check_imports(package, local_names, report)


def _find_application(model: Model, report: Report) -> Place | None:
    first: Place | None = None
    for package in model.packages:
        for file in package.files:
            for node in file.parsed.tree.statements:
                if not isinstance(node, n.Application):
                    continue
                place = Place(file)
                if first is None or model.application is None:
                    first, model.application, model.application_package = place, node, package
                    continue
                report.error(
                    place,
                    head(node),
                    "duplicate-application",
                    f"APPLICATION {node.name} is a second one: an application has exactly one",
                    f"the first is {model.application.name} at {first.position(model.application.span)}",
                )
    if first is None and not model.is_partial:
        report.error_in_package(
            "",
            "no-application",
            "no package has an APPLICATION statement",
            "add `APPLICATION name ();` to one package, with a USE for each package it imports",
        )
    return first


def _read_imports(package: Package, by_path: dict[str, Package]) -> None:
    by_last_part: dict[str, ImportedPackage] = {}
    for file in package.files:
        for node in file.parsed.tree.imports:
            path = node.path.value
            imported = ImportedPackage(node, Place(file), by_path.get(path))
            last_part = path.rpartition("/")[2]
            by_last_part.setdefault(last_part, imported)
            package.imports.setdefault(node.alias.text if node.alias is not None else last_part, imported)
    # What has an alias can still be called by its own name, if nothing else is called so.
    for name, imported in by_last_part.items():
        package.imports.setdefault(name, imported)


def _name_packages(model: Model, application: n.Application, place: Place, report: Report) -> None:
    own = place.package
    if own.name == "sys" and not own.is_sys:
        _reserved(own.path, place, head(application), report)
    named: set[str] = {own.name}
    reached = {own.path, "sys"}
    is_complete = not application.is_partial
    for use in application.uses:
        name = use.package.text
        if name in named:
            report.error(
                place,
                use.package.span,
                "duplicate-package",
                f"USE {name}: a package of this name is already part of the application",
                "import one of the two under another name: IMPORT SCHEMA '...' AS other",
            )
            continue
        named.add(name)
        imported = own.imports.get(name)
        if imported is None:
            is_complete = False
            if not own.is_partial:
                hint = report.nearest(name, own.imports, size=len(own.imports))
                message = f"USE {name}: {own.path} imports no package of this name"
                hint = hint or "add IMPORT SCHEMA with its path above APPLICATION"
                report.error(place, use.package.span, "undefined-package", message, hint)
        elif imported.package is None:
            report_missing_import(imported, report)
            # It may have been meant for one of those that no USE reaches.
            is_complete = False
        else:
            if name == "sys" and not imported.package.is_sys:
                _reserved(imported.package.path, place, use.package.span, report)
            elif not imported.package.is_sys:
                imported.package.name = name
            reached.add(imported.package.path)
    if not is_complete or own.is_partial:
        return
    for package in model.packages:
        if package.path not in reached and package.files:
            last_part = package.path.rpartition("/")[2]
            report.error(
                place,
                head(application),
                "unused-package",
                f"APPLICATION {application.name} does not USE package {package.path}, which was passed along",
                f"add IMPORT SCHEMA '{package.path}' and USE {last_part}, or leave the package out",
            )


def _reserved(path: str, place: Place, span: n.Span, report: Report) -> None:
    report.error(
        place,
        span,
        "local-name",
        f"package {path} would be called sys, which is the name of the package that all stand on",
        "import it under another name: IMPORT SCHEMA '...' AS other",
    )


def _check_imports(package: Package, local_names: dict[str, str], report: Report) -> None:
    by_name: dict[str, str] = {}
    for file in package.files:
        place = Place(file)
        for node in file.parsed.tree.imports:
            path = node.path.value
            name = node.alias.text if node.alias is not None else path.rpartition("/")[2]
            span = node.alias.span if node.alias is not None else node.path.span
            if not _IDENTIFIER.fullmatch(name):
                report.error(
                    place,
                    span,
                    "local-name",
                    f"`{name}`, the last part of the path, cannot be used as a name for the package",
                    f"give it one: IMPORT SCHEMA '{path}' AS name",
                )
                continue
            elsewhere = local_names.setdefault(path, name)
            if elsewhere != name:
                report.error(
                    place,
                    span,
                    "local-name",
                    f"package {path} is called {name} here, but {elsewhere} by an earlier IMPORT",
                    f"use the same name everywhere: AS {elsewhere}",
                )
            elif name == package.name:
                report.error(
                    place,
                    span,
                    "local-name",
                    f"`{name}` is the name of this package itself",
                    f"import the other one under another name: IMPORT SCHEMA '{path}' AS other",
                )
            elif by_name.setdefault(name, path) != path:
                report.error(
                    place,
                    span,
                    "local-name",
                    f"`{name}` is the name of {by_name[name]} in this package already",
                    f"import this one under another name: IMPORT SCHEMA '{path}' AS other",
                )
