from __future__ import annotations

from collections.abc import Callable
from typing import Any

from statehold.sdk import UNSET
from statehold.state import Rows

_SOURCE = '''
def bind(_make, _key_class, _unset):
    def key(_self, /{parameters}, **_extra):
        """Return the key of one row, to be used again or for `get_many`."""
        return _make(_self._state.call.workspace if WSID is None else WSID, {given}**_extra)

    def get(_self, _key=None, /{parameters}, **_extra):
        """Return the value under a key, or None where there is none."""
        _state = _self._state
        if _key is None:
            if WSID is None:
                WSID = _state.call.workspace
            _key = _make(WSID, {given}**_extra) if _extra else _make(WSID, {given})
        elif _key.__class__ is not _key_class{is_any} or WSID is not None or _extra:
            _self._refuse_key(_key, {{{named}**_extra}})
        return _state.get(_key)

    def must_get(_self, _key=None, /{parameters}, **_extra):
        """Return the value under a key, or raise NotExistsError."""
        _state = _self._state
        if _key is None:
            if WSID is None:
                WSID = _state.call.workspace
            _key = _make(WSID, {given}**_extra) if _extra else _make(WSID, {given})
        elif _key.__class__ is not _key_class{is_any} or WSID is not None or _extra:
            _self._refuse_key(_key, {{{named}**_extra}})
        # By way of `must_exist` only where it has something to say.
        return _state.get(_key) or _state.must_exist(_key)

    return key, get, must_get
'''


def compile_getters(rows: Rows) -> dict[str, Callable[..., Any]]:
    """Compile `key`, `get` and `must_get` of one storage, with the fields of its key as parameters.

    Compiled, because to gather fields in a dict and to take the workspace out of it costs more than to make
    the key and to look it up.
    """
    names = [field.attribute for field in rows.key_fields]
    # As they are where a key is made: a field that may be NULL is NULL where it is not given.
    absent = {
        field.attribute: "_unset" if field.required or field.repeated else "None" for field in rows.key_fields
    }
    source = _SOURCE.format(
        parameters="".join([", *, WSID=None", *(f", {name}={value}" for name, value in absent.items())]),
        given="".join(f"{name}={name}, " for name in names),
        named="".join(f"{name!r}: {name}, " for name in ["WSID", *names]),
        is_any="".join(f" or {name} is not {value}" for name, value in absent.items()),
    )
    scope: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, f"<{rows.storage}>", "exec"), scope)  # noqa: S102 - the names are those of a schema, which are identifiers
    made = {function.__name__: function for function in scope["bind"](rows.key, rows.Key, UNSET)}
    for name, function in made.items():
        function.__qualname__ = f"Storage.{name}"
    return made
