from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs

from statehold.cli._steps import Tell
from statehold.sdk import HostError, Principal

if TYPE_CHECKING:
    import httpx

    from statehold.hosting import Canary

_LIFETIME = 600.0


@attrs.frozen(kw_only=True)
class Server:
    """The server that runs at *url* on a data folder, asked as the owner of that folder about an app, or `*`.

    A change that is told step by step is not made where whoever asks goes away in the middle.
    """

    url: str
    data: Path
    app: str = "*"

    def deploy(
        self,
        image: Path,
        *,
        tell: Tell,
        beside: bool = False,
        accept_breaking: bool = False,
        canary: Canary | None = None,
    ) -> dict[str, Any]:
        """Let it deploy an image, and return what it answers.

        Raises:
            HostError: it cannot be reached, or has refused the image.

        """
        from statehold.images import build_image  # noqa: PLC0415 - no other command needs it

        flags = {"beside": beside, "accept-breaking": accept_breaking}
        params = {name: "true" for name, is_so in flags.items() if is_so}
        if canary is not None:
            figures = attrs.asdict(canary)
            params["canary"] = str(figures.pop("share"))
            params |= {f"canary-{name}": str(value) for name, value in figures.items()}
        with tempfile.TemporaryDirectory() as folder:
            packed = build_image(image, Path(folder) / "image.shi") if image.is_dir() else image
            with packed.open("rb") as file:
                return self._change("versions", tell, params=params, content=file)

    def activate(self, version: str, *, accept_breaking: bool = False, tell: Tell) -> dict[str, Any]:
        """Let it make a deployed version current, and return what it answers.

        Raises:
            HostError: it cannot be reached, or has refused.

        """
        params = {"accept-breaking": "true"} if accept_breaking else {}
        return self._change(f"versions/{quote(version, safe='')}/activate", tell, params=params, content=None)

    def rollback(self, *, tell: Tell) -> dict[str, Any]:
        """Let it make the version current that was current before, and return what it answers.

        Raises:
            HostError: it cannot be reached, or has refused.

        """
        return self._change("versions/rollback", tell, params={}, content=None)

    def undeploy(self, version: str | None, *, tell: Tell) -> dict[str, Any]:
        """Let it forget the app, or one version of it, and return what it answers.

        Raises:
            HostError: it cannot be reached, or has refused.

        """
        path = "" if version is None else f"versions/{quote(version, safe='')}"
        return self._change(path, tell, params={}, content=None, method="DELETE")

    def apps(self) -> dict[str, Any]:
        """Return every app of it, and what its sandbox lacks.

        Raises:
            HostError: it cannot be reached, or has refused.

        """
        return self._asked("GET", "apps", has="apps")

    def quarantine(self) -> dict[str, Any]:
        """Return the plugins of the app that are in quarantine there.

        Raises:
            HostError: it cannot be reached, or has refused.

        """
        return self._asked("GET", "quarantine", self._of_app(), has="quarantine")

    def lift(self, name: str) -> dict[str, Any]:
        """Let it run the plugins of a distribution in its own process again, and return which these are.

        Raises:
            HostError: it cannot be reached, or has refused.

        """
        return self._asked("DELETE", f"quarantine/{quote(name, safe='')}", self._of_app(), has="lifted")

    def _of_app(self) -> dict[str, str]:
        return {} if self.app == "*" else {"app": self.app}

    def _asked(
        self, method: str, path: str, params: Mapping[str, str] = MappingProxyType({}), *, has: str
    ) -> dict[str, Any]:
        with self._stream(method, path, params=params, content=None) as answer:
            return self._read(answer.read(), has)

    def _change(
        self, path: str, tell: Tell, *, params: Mapping[str, str], content: Any, method: str = "POST"
    ) -> dict[str, Any]:
        owner, _, name = self.app.partition(".")
        path = f"apps/{owner}/{name}/{path}".rstrip("/")
        with self._stream(method, path, params={"progress": "true", **params}, content=content) as answer:
            return self._follow(answer, tell)

    @contextmanager
    def _stream(
        self, method: str, path: str, *, params: Mapping[str, str], content: Any
    ) -> Iterator[httpx.Response]:
        """Give the answer to a request that was not refused.

        Raises:
            HostError: it cannot be reached, or has refused.

        """
        import httpx  # noqa: PLC0415 - no other command needs it

        try:
            with httpx.stream(
                method,
                f"{self.url.rstrip('/')}/api/v2/{path}",
                content=content,
                params=params,
                # A token is for that server alone, not for a proxy that the environment names.
                trust_env=False,
                headers={"Authorization": f"Bearer {self._token()}"},
                # A deploy takes as long as its storages take to open.
                timeout=httpx.Timeout(10.0, read=None, write=60.0),
            ) as answer:
                if answer.status_code == httpx.codes.OK:
                    yield answer
                    return
                answer.read()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HostError(
                f"no server can be reached at {self.url}: {error}",
                hint="Name the URL that `statehold serve` has shown, such as http://127.0.0.1:8080",
            ) from error
        try:
            document = self._read(answer.content)
        except HostError:
            document = {"message": answer.text[:200]}
        raise self._refused({"status": answer.status_code, **document})

    def _follow(self, answer: Any, tell: Tell) -> dict[str, Any]:
        import httpx  # noqa: PLC0415 - as above

        # It may be killed at any moment.
        with suppress(httpx.TransportError):
            for line in answer.iter_lines():
                found = self._read(line)
                if found.get("ok"):
                    del found["ok"]
                    return found
                if "error" in found:
                    raise self._refused(found["error"])
                found = self._read(line, "step", "text")
                tell(found.pop("step"), found.pop("text"), found)
        raise HostError(
            f"the server at {self.url} ended before {self.app} was changed, or has not said so any more",
            hint="See what is current: statehold apps",
        )

    def _read(self, text: str | bytes, *has: str) -> dict[str, Any]:
        """Return a document that *has* some members.

        Raises:
            HostError: it is none.

        """
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict) or not found.keys() >= set(has):
            raise HostError(
                f"what answers at {self.url} is no server of Statehold, or one of another version",
                hint="Name the URL that `statehold serve` has shown, such as http://127.0.0.1:8080",
            )
        return found

    def _refused(self, document: Mapping[str, Any]) -> HostError:
        status = document.get("status")
        what = "that" if self.app == "*" else self.app
        return HostError(
            f"the server refuses {what} with status {status}: {document.get('message')}",
            hint="It takes tokens of its own data folder alone: --data" if status == 401 else "",
        )

    def _token(self) -> str:
        from statehold.serving import Tokens  # noqa: PLC0415 - no other command needs it

        if not (self.data / "token.key").exists():
            raise HostError(
                f"{self.data} has no key for tokens, so no server runs on it",
                hint="Name the data folder of the server: --data",
            )
        operator = Principal(name="operator", kind=1, roles={0: frozenset({"sys.ClusterAdmin"})})
        return Tokens.open(self.data).issue(operator, app=self.app, lifetime=_LIFETIME)
