from __future__ import annotations

import math
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import attrs

from statehold.sdk import Clock, HostError, Principal
from statehold.serving._errors import TokenError

ANY_APP = "*"

_ALGORITHM = "HS256"
_KEY_BYTES = 32
_LARGEST = 8192
_REMEMBERED = 10_000
_KEY_FILE = "token.key"


@attrs.frozen
class _Checked:
    principal: Principal
    app: str
    begins: float
    expires: float


class Tokens:
    """Issues bearer tokens and checks them: JWT, signed with HS256 by a key that only this host knows.

    A token that has been checked is remembered until it expires, so that checking it again costs a look-up.

    Args:
        key: at least 32 bytes.
        clock: the time that tokens begin and expire in; without it, the machine's.

    """

    def __init__(self, key: bytes, *, clock: Clock | None = None) -> None:
        if len(key) < _KEY_BYTES:
            raise HostError(
                f"the key of the tokens has {len(key)} bytes, expected at least {_KEY_BYTES}",
                hint=f"Take {_KEY_FILE} away: the next start makes a new key, and all tokens are issued anew",
            )
        self._key = key
        self._now = time.time if clock is None else clock.now
        self._checked: dict[bytes, _Checked] = {}

    @classmethod
    def open(cls, data_folder: Path, *, clock: Clock | None = None) -> Self:
        """Return the tokens of a host, whose key is made in its data folder when it is first needed.

        Raises:
            HostError: the key cannot be made or read, or others than its owner can read it.

        """
        return cls(_key(data_folder / _KEY_FILE), clock=clock)

    def issue(self, principal: Principal, *, app: str, lifetime: float, begins: float | None = None) -> str:
        """Return a token for *principal* in one app, or with `ANY_APP` in all of the host.

        It lasts *lifetime* seconds from *begins*, in seconds since 1970, or from now.
        """
        import jwt  # noqa: PLC0415 - brings a library of cryptography where it is installed

        start = self._now() if begins is None else begins
        claims = {
            "sub": principal.name,
            "aud": app,
            "kind": principal.kind,
            "profile": principal.profile,
            "roles": {str(workspace): sorted(roles) for workspace, roles in principal.roles.items()},
            "nbf": int(start),
            "exp": math.ceil(start + lifetime),
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def check(self, token: str, app: str) -> Principal:
        """Return whose the token is, in *app*.

        Raises:
            TokenError: it is not of this host, not for *app*, not valid yet or not any more.

        """
        return self.authorize(b"Bearer " + token.encode("utf-8", "replace"), app)

    def authorize(self, header: bytes, app: str) -> Principal:
        """Return who speaks, by the header Authorization, in *app*.

        Raises:
            TokenError: it is no bearer token, or one that `check` refuses.

        """
        found = self._checked.get(header)
        if found is None:
            found = self._read(header)
            if len(self._checked) >= _REMEMBERED:
                self._checked.clear()
            self._checked[header] = found
        now = self._now()
        if not found.begins <= now < found.expires:
            self._checked.pop(header, None)
            raise _untimely(found, now)
        if found.app not in (app, ANY_APP):
            raise TokenError(
                f"the token is for {found.app}, not for {app}",
                hint=f"Issue one for it: statehold token {app}",
            )
        return found.principal

    def _read(self, header: bytes) -> _Checked:
        import jwt  # noqa: PLC0415 - as above

        scheme, _, text = header.partition(b" ")
        if scheme.lower() != b"bearer":
            raise TokenError(
                "the header Authorization does not begin with Bearer",
                hint="Send it as `Authorization: Bearer TOKEN`",
            )
        if len(text) > _LARGEST:
            raise TokenError(f"the token has {len(text):,} characters, at most {_LARGEST:,} are read")
        try:
            token = text.strip().decode("ascii")
            # Times and app are checked at every use, by the host's clock.
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                options={
                    "require": ["sub", "aud", "nbf", "exp"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                },
            )
            return _checked(claims, token)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            # What exactly is wrong helps only those who forge.
            raise TokenError(
                "the token is not one that this host has issued",
                hint="Issue one with `statehold token`; a host with a new key needs new tokens",
            ) from None


def _untimely(checked: _Checked, now: float) -> TokenError:
    if now < checked.begins:
        return TokenError(
            f"the token is not valid yet: it begins in {checked.begins - now:.0f} s",
            hint="Wait, or set the clocks right",
        )
    return TokenError(f"the token expired {now - checked.expires:.0f} s ago", hint="Issue a new one")


def _checked(claims: Mapping[str, Any], token: str) -> _Checked:
    begins, expires = float(claims["nbf"]), float(claims["exp"])
    if not (math.isfinite(begins) and math.isfinite(expires)):
        raise ValueError("a time is no number")
    roles = {
        int(workspace): frozenset(map(str, given)) for workspace, given in claims.get("roles", {}).items()
    }
    principal = Principal(
        name=str(claims["sub"]),
        kind=int(claims.get("kind", 1)),
        profile=int(claims.get("profile", 0)),
        roles=roles,
        token=token,
    )
    return _Checked(principal, str(claims["aud"]), begins, expires)


def _key(path: Path) -> bytes:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        if not path.exists():
            # Linked into its place when it is complete: whoever comes second takes the key of the first.
            made.touch(mode=0o600, exist_ok=False)
            made.write_bytes(secrets.token_bytes(_KEY_BYTES))
            try:
                path.hardlink_to(made)
            except FileExistsError:
                pass
            finally:
                made.unlink()
        if path.stat().st_mode & 0o077:
            raise HostError(
                f"others can read {path}, which signs the tokens",
                hint=f"Run `chmod 600 {path}`; if somebody may have read it, remove it: a new one is made",
            )
        return path.read_bytes()
    except OSError as error:
        raise HostError(
            f"the key of the tokens, {path}, cannot be read or made: {error.strerror}",
            hint="Give this user access to the data folder",
        ) from error
