from __future__ import annotations

from typing import TYPE_CHECKING, Final

from statehold.loading import runs_in
from statehold.testing._scenario import scenarios

if TYPE_CHECKING:
    from statehold.testing._case import Case

SUBJECT: Final = "statehold-subject"

_PROMISES: Final = ("durable", "hands_over", "ordered")
_PARDONS: Final = {"any_row": True, "may_forget": False, "shared": False, "read_by": 0, "whole_keys": False}
_EFFORTS: Final = {"large": 2**20, "callers": 8, "calls": 50, "examples": 50, "steps": 30}


def subject(case: Case) -> dict[str, object]:
    """Return what the report says about a tested storage, as plain data that can travel between processes."""
    provider, opening = case.given("provider"), case.own_provider.open
    asked = [one for one in scenarios(type(case)).values() if one.applies(case.facts)]
    return {
        "asked": [[one.number, int(one.level)] for one in asked],
        "provider": provider.name,
        "module": getattr(opening, "__module__", type(opening).__module__),
        "isolation": runs_in(provider),
        "operations": sorted(map(str, case.facts.operations)),
        "with": [
            *([] if runs_in(provider) == "inprocess" else [f"isolation={runs_in(provider)}"]),
            *(name for name in _PROMISES if getattr(case, name)),
            *(
                f"{name}={getattr(case, name)}"
                for name, default in _PARDONS.items()
                if getattr(case, name) != default
            ),
            *(
                f"{name}={getattr(case, name)}"
                for name, usual in _EFFORTS.items()
                if getattr(case, name) < usual
            ),
        ],
    }
