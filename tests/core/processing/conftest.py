from __future__ import annotations

from importlib.resources import files

import pytest

from statehold_vsql import compile_app


@pytest.fixture(scope="session")
def compiled():
    sys_vsql = files("statehold_sys").joinpath("sys.vsql").read_text()

    def compiled(text, **more):
        packages = {"sys": {"sys.vsql": sys_vsql}, "example.org/shop": {"shop.vsql": text}, **more}
        result = compile_app(packages)
        assert result.appdef is not None, [str(one) for one in result.diagnostics]
        return result.appdef

    return compiled
