from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from statehold.images import open_image, verify_image
from statehold.sdk import ImageError

Forge = Callable[..., Path]
Declare = Callable[..., bytes]
VSQL = "image/pkg/acme.example/bills/bills.vsql"


def only_problem(path: Path) -> str:
    problems = verify_image(path)
    assert len(problems) == 1, problems
    with pytest.raises(ImageError, match="not a usable app image"):
        open_image(path)
    return str(problems[0])


def changed(manifest: bytes, **keys: object) -> bytes:
    content = {**json.loads(manifest), **keys}
    return json.dumps({key: value for key, value in content.items() if value is not None}).encode()


def test_an_undeclared_file_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    more = {**sound, "image/pkg/acme.example/bills/more.vsql": b""}
    assert "not declared" in only_problem(forge(more, declared=sound))


def test_a_missing_file_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    more = {**sound, "image/pkg/acme.example/bills/more.vsql": b""}
    assert "missing" in only_problem(forge(sound, declared=more))


def test_a_wrong_size_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    path = forge({**sound, VSQL: sound[VSQL] + b"--"}, declared=sound)
    assert "has 23 bytes, the manifest says 21" in only_problem(path)


def test_a_wrong_digest_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    path = forge({**sound, VSQL: sound[VSQL].replace(b"bills", b"bulls")}, declared=sound)
    assert "SHA-256" in only_problem(path)


def test_a_digest_of_null_is_refused(forge: Forge, sound: dict[str, bytes], declare: Declare) -> None:
    manifest = json.loads(declare(sound))
    manifest["files"][VSQL]["sha256"] = None
    path = forge(sound, manifest=json.dumps(manifest).encode())
    assert any("needs a size and a SHA-256 digest" in str(problem) for problem in verify_image(path))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"format": 2}, "another"),
        ({"format": True}, "another"),
        ({"format": None}, "another"),
        ({"app": "bills"}, "no app name"),
        ({"app": "../x.y"}, "no app name"),
        ({"app": None}, "app: expected text"),
        ({"digest": "0" * 64}, "digest: the manifest says"),
        ({"digest": None}, "digest: expected text"),
        ({"version": "9"}, "version: the manifest says"),
        ({"version": 9}, "version: expected text"),
        ({"fils": {}}, "did you mean 'files'"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(
    forge: Forge, sound: dict[str, bytes], declare: Declare, keys: dict[str, object], message: str
) -> None:
    assert message in only_problem(forge(sound, manifest=changed(declare(sound), **keys)))


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (b"", "no valid JSON"),
        (b"{", "line 1, column 2"),
        (b"[]", "expected a JSON object, got a list"),
        (b"\xff", "not UTF-8"),
        (b'{"format": 1, "format": 1}', "given twice"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"format": ' + b"1" * 5000 + b"}", "too many digits"),
        (b'{"format": NaN}', "NaN"),
        (b'{"format": 1e999}', "too large"),
    ],
)
def test_a_damaged_manifest_is_refused(
    forge: Forge, sound: dict[str, bytes], manifest: bytes, message: str
) -> None:
    assert message in only_problem(forge(sound, manifest=manifest))


def test_an_app_of_another_name_has_another_digest(
    forge: Forge, sound: dict[str, bytes], declare: Declare
) -> None:
    with open_image(forge(sound)) as first:
        digest = first.digest
    with open_image(forge(sound, manifest=declare(sound, app="acme.other"))) as second:
        assert second.digest != digest
