from __future__ import annotations

from itertools import chain

from statehold_vsql.semantics._model import ImportedPackage, Kind, Model, Package, Place, Symbol
from statehold_vsql.semantics._report import Report
from statehold_vsql.syntax import nodes as n

_OWN_WORKSPACE_ONLY = frozenset({Kind.TAG, Kind.WORKSPACE})


class Names:
    """Finds what a name stands for, and reports a name that stands for nothing that fits.

    A name is looked for in the workspace it is used in, then in those inherited, then in
    `sys.Workspace`, then at the root of the package that it names. As names are unique in a package,
    that is one look-up and the question whether what it finds is visible.
    """

    def __init__(self, model: Model, report: Report) -> None:
        self._model = model
        self._report = report

    def find(
        self,
        ref: n.NameRef,
        place: Place,
        *kinds: Kind,
        expected: str = "",
        words: tuple[str, ...] = (),
        hint: str = "",
    ) -> Symbol | None:
        """Return what `ref` stands for, or report that it is undefined and return None.

        The rest is for the report: what would fit, words that would fit besides names, and what to say if
        no name is near.
        """
        package = self.package(ref, place)
        if package is None:
            return None
        symbol = package.symbols.get(ref.name)
        if symbol is not None and symbol.kind in kinds and self._is_visible(symbol, place):
            return symbol
        self._undefined(
            ref, place, package, kinds, expected=expected or " or ".join(kinds), words=words, fallback=hint
        )
        return None

    def look_up(self, ref: n.NameRef, place: Place, *kinds: Kind) -> Symbol | None:
        """Return what `ref` stands for, or None, without reporting."""
        package = self._package(ref.package, place)
        symbol = package.symbols.get(ref.name) if package is not None else None
        if symbol is not None and symbol.kind in kinds and self._is_visible(symbol, place):
            return symbol
        return None

    def package(self, ref: n.NameRef, place: Place) -> Package | None:
        """Return the package that `ref` names, or report that there is none and return None."""
        package = self._package(ref.package, place)
        if package is None:
            self._undefined_package(ref.package, ref.span, place)
        return package

    def _package(self, name: str, place: Place) -> Package | None:
        own = place.package
        if not name or name == own.name:
            return own
        if name == "sys":
            return self._model.sys
        imported = own.imports.get(name)
        return imported.package if imported is not None else None

    def _is_visible(self, symbol: Symbol, place: Place) -> bool:
        declared_in = symbol.place.workspace
        if symbol.kind is Kind.TAG and symbol.place.package is not place.package:
            return False
        if declared_in is None or symbol.place.is_alter or declared_in is place.workspace:
            return True
        if symbol.kind in _OWN_WORKSPACE_ONLY or place.workspace is None:
            return False
        return (
            declared_in is self._model.sys_workspace
            or place.workspace.ancestors >> declared_in.index & 1 == 1
        )

    def _undefined_package(self, name: str, span: n.Span, place: Place) -> None:
        own = place.package
        imported = own.imports.get(name)
        if imported is not None:
            report_missing_import(imported, self._report)
            return
        # Its IMPORT may be in the part that was lost.
        if own.is_partial:
            return
        paths = [p.path for p in self._model.packages if p.path.rpartition("/")[2] == name]
        if name == "sys":
            code, message = "missing-package", "package sys is used here, but was not passed to the compiler"
            hint = "pass the host's sys along"
        else:
            code, message = "undefined-package", f"package {name} is not imported by {own.path}"
            hint = self._report.nearest(name, [*own.imports, "sys"], size=len(own.imports))
            if paths:
                hint = f"add IMPORT SCHEMA '{paths[0]}'"
        self._report.error_once((own, name), place, span, code=code, message=message, hint=hint)

    def _undefined(
        self,
        ref: n.NameRef,
        place: Place,
        package: Package,
        kinds: tuple[Kind, ...],
        *,
        expected: str,
        words: tuple[str, ...],
        fallback: str,
    ) -> None:
        if ref.name in package.damaged or ref.name in package.redefined:
            return
        symbol = package.symbols.get(ref.name)
        if symbol is None:
            message = f"{expected} {ref.text} is not declared"
            visible = (
                name
                for name, other in package.symbols.items()
                if other.kind in kinds and self._is_visible(other, place)
            )
            hint = self._elsewhere(ref, place, kinds) or self._report.nearest(
                ref.name,
                visible if ref.package else chain(words, visible),
                size=len(package.symbols),
                prefix=f"{ref.package}." if ref.package else "",
            )
            hint = hint or fallback or self._near_in_sys(ref, kinds)
        elif symbol.kind not in kinds:
            message = f"{ref.text} is a {symbol.kind}, but a {expected} is expected here"
            hint = f"{symbol.title} is declared at {symbol.position}"
        else:
            if place.is_lost or (place.workspace is not None and place.workspace.is_lost):
                return
            message, hint = self._invisible(ref, place, symbol)
        self._report.error(place, ref.span, f"undefined-{kinds[0]}", message, hint)

    def _elsewhere(self, ref: n.NameRef, place: Place, kinds: tuple[Kind, ...]) -> str:
        # A name without a package is one of this package only, `Http` for `sys.Http` a common slip.
        if ref.package:
            return ""
        imported = {name: found.package for name, found in place.package.imports.items()}
        for name, package in {"sys": self._model.sys, **imported}.items():
            symbol = package.symbols.get(ref.name) if package is not None else None
            if symbol is not None and symbol.kind in kinds:
                return f"did you mean `{name}.{ref.name}`?"
        return ""

    def _near_in_sys(self, ref: n.NameRef, kinds: tuple[Kind, ...]) -> str:
        if ref.package or self._model.sys is None:
            return ""
        symbols = self._model.sys.symbols
        fitting = (name for name, symbol in symbols.items() if symbol.kind in kinds)
        return self._report.nearest(ref.name, fitting, size=len(symbols), prefix="sys.")

    def _invisible(self, ref: n.NameRef, place: Place, symbol: Symbol) -> tuple[str, str]:
        declared_in = symbol.place.workspace
        where = (
            f"workspace {declared_in.symbol.qname}" if declared_in is not None else symbol.place.package.path
        )
        if symbol.kind is Kind.TAG:
            message = f"tag {ref.text} belongs to {where} and cannot be used here"
            return message, "a tag serves the workspace it is declared in; declare one here"
        here = f"workspace {place.workspace.symbol.qname}" if place.workspace is not None else "the root"
        if symbol.kind is Kind.WORKSPACE:
            return f"workspace {ref.text} is declared inside {where}, not visible from {here}", ""
        message = f"{symbol.kind} {ref.text} is declared in {where}, which {here} does not inherit"
        return message, f"declare it in {here}, or in a workspace that {here} INHERITS"


def report_missing_import(imported: ImportedPackage, report: Report) -> None:
    """Report, once, that the package of an IMPORT that is made use of was not passed."""
    if imported.is_reported:
        return
    imported.is_reported = True
    path = imported.node.path
    report.error(
        imported.place,
        path.span,
        "missing-package",
        f"package {path.value} is imported here, but was not passed to the compiler",
        "check the path, or pass the package along under exactly this path",
    )
