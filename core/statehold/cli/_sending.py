from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from statehold.sdk import HostError, Principal

_LIFETIME = 600.0


def send_image(
    image: Path, app: str, url: str, *, data: Path, beside: bool, accept_breaking: bool
) -> dict[str, Any]:
    """Let the server at *url* deploy an image, as the owner of its data folder, and return what it answers.

    Raises:
        HostError: it cannot be reached, or has refused the image.

    """
    import httpx  # noqa: PLC0415 - no other command needs it

    from statehold.images import build_image  # noqa: PLC0415 - as above
    from statehold.serving import Tokens  # noqa: PLC0415 - as above

    if not (data / "token.key").exists():
        raise HostError(
            f"{data} has no key for tokens, so no server runs on it",
            hint="Name the data folder of the server: --data",
        )
    operator = Principal(name="operator", kind=1, roles={0: frozenset({"sys.ClusterAdmin"})})
    token = Tokens.open(data).issue(operator, app=app, lifetime=_LIFETIME)
    owner, _, name = app.partition(".")
    target = f"{url.rstrip('/')}/api/v2/apps/{owner}/{name}/versions"
    with tempfile.TemporaryDirectory() as folder:
        packed = build_image(image, Path(folder) / "image.shi") if image.is_dir() else image
        try:
            with packed.open("rb") as file:
                answer = httpx.post(
                    target,
                    content=file,
                    params={
                        name: "true"
                        for name, is_so in (("beside", beside), ("accept-breaking", accept_breaking))
                        if is_so
                    },
                    # A token is for that server alone, not for a proxy that the environment names.
                    trust_env=False,
                    headers={"Authorization": f"Bearer {token}"},
                    # A deploy takes as long as its storages take to open.
                    timeout=httpx.Timeout(10.0, read=None, write=60.0),
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HostError(
                f"no server can be reached at {url}: {error}",
                hint="Name the URL that `statehold serve` has shown, such as http://127.0.0.1:8080",
            ) from error
    try:
        document: dict[str, Any] = answer.json()
    except ValueError:
        document = {"message": answer.text[:200]}
    if answer.status_code != httpx.codes.CREATED:
        raise HostError(
            f"the server refuses {app} with status {answer.status_code}: {document.get('message')}",
            hint="It takes tokens of its own data folder alone: --data" if answer.status_code == 401 else "",
        )
    return document
