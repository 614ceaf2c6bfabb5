from __future__ import annotations

from collections.abc import Mapping

from statehold.sdk import Operation, Scope

Scopes = Mapping[Operation, frozenset[Scope]]


def narrow(storage: str, declared: Scopes, asked: Scopes) -> tuple[Scopes, tuple[str, ...]]:
    """Return the scopes that the operator leaves of the declared ones, and what he got wrong.

    An operation he does not name keeps its scopes. He may take scopes away, never add one.
    """
    problems = []
    permitted = dict(declared)
    for operation, scopes in asked.items():
        allowed = declared.get(operation, frozenset())
        wider = scopes - allowed
        if wider:
            problems.append(
                f"descriptor.json: Storages.{storage}.scopes.{operation}: {listed(wider)} is wider than the "
                f"declaration, which permits {operation} in {listed(allowed) or 'no scope'}. "
                "An operator only takes scopes away; to add one, change the declaration"
            )
        permitted[operation] = scopes & allowed
    return permitted, tuple(problems)


def listed(scopes: frozenset[Scope]) -> str:
    """Return scopes as a text, in the order of the language."""
    return ", ".join(scope for scope in Scope if scope in scopes)
