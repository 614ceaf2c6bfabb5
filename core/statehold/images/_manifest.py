from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Container, Mapping

import attrs

from statehold.images._json import json_type, read_json_object
from statehold.images._layout import MANIFEST
from statehold.images._names import APP
from statehold.images._problem import Problem, nearest

FORMAT = 1

_KEYS = ("app", "digest", "files", "format", "version")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@attrs.frozen(kw_only=True)
class FileEntry:
    """The size and the digest of one file of an image."""

    size: int
    sha256: str


@attrs.frozen(kw_only=True)
class Manifest:
    """What a packed image says of itself: manifest.json."""

    app: str
    version: str
    digest: str
    files: Mapping[str, FileEntry]

    def dump(self) -> bytes:
        """Return the text of manifest.json, the same for the same contents."""
        content = {
            "format": FORMAT,
            "app": self.app,
            "version": self.version,
            "digest": self.digest,
            "files": {
                path: {"size": entry.size, "sha256": entry.sha256}
                for path, entry in sorted(self.files.items())
            },
        }
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def content_digest(app: str, files: Mapping[str, FileEntry]) -> str:
    """Return the digest of an image: of its app's name, and of names and contents of its files."""
    digest = hashlib.sha256(f"statehold image {FORMAT}\n{app}\n".encode())
    for path, entry in sorted(files.items()):
        digest.update(f"{entry.sha256} {entry.size} {path}\n".encode())
    return digest.hexdigest()


def parse_manifest(data: bytes) -> tuple[Manifest | None, list[Problem]]:
    """Return the manifest in *data*, and all that is wrong with it; None where it is of no use."""
    content, problems = read_json_object(data, path=MANIFEST)
    if problems:
        return None, problems

    def wrong(message: str, hint: str = "") -> None:
        problems.append(Problem(code="manifest", message=message, path=MANIFEST, hint=hint))

    if content.get("format") != FORMAT or isinstance(content.get("format"), bool):
        hint = "it was built by another version of Statehold: use that one, or build the image again"
        wrong(f"this version reads images of format {FORMAT}, the manifest names another", hint)
        return None, problems
    for key in content:
        if key not in _KEYS:
            wrong(f"unknown key {key!r}", nearest(key, _KEYS))
    app, version, digest = (_text(content, key, wrong) for key in ("app", "version", "digest"))
    if app and not APP.fullmatch(app):
        wrong(f"{app!r} is no app name", "an app is called <owner>.<app>")
    files: dict[str, FileEntry] = {}
    listed = content.get("files")
    if isinstance(listed, dict):
        for path, entry in listed.items():
            match entry:
                case {"size": int(size), "sha256": str(sha256), **rest} if not rest:
                    if type(size) is int and size >= 0 and _SHA256.fullmatch(sha256):
                        files[path] = FileEntry(size=size, sha256=sha256)
                        continue
            wrong(f"files: {path!r} needs a size and a SHA-256 digest, and nothing else")
    else:
        wrong(f"files: expected an object, got {json_type(listed)}")
    return Manifest(app=app, version=version, digest=digest, files=files), problems


def compare(
    listed: Mapping[str, FileEntry], found: Mapping[str, FileEntry], unreadable: Container[str]
) -> list[Problem]:
    """Return where the files *found* are not those *listed* in the manifest."""
    problems = [
        Problem(code="undeclared", message="not declared in the manifest", path=path)
        for path in sorted(found.keys() - listed.keys())
    ]
    for path, entry in sorted(listed.items()):
        actual = found.get(path)
        if actual is None:
            if path not in unreadable:
                problems.append(
                    Problem(code="missing", message="declared in the manifest, and missing", path=path)
                )
        elif actual.size != entry.size:
            message = f"has {actual.size} bytes, the manifest says {entry.size}"
            problems.append(Problem(code="digest", message=message, path=path))
        elif actual.sha256 != entry.sha256:
            message = (
                f"has the SHA-256 digest {actual.sha256[:12]}..., the manifest says {entry.sha256[:12]}..."
            )
            problems.append(Problem(code="digest", message=message, path=path))
    return problems


def _text(content: Mapping[str, object], key: str, wrong: Callable[[str], None]) -> str:
    value = content.get(key)
    if isinstance(value, str) and value:
        return value
    wrong(f"{key}: expected text, got {json_type(value)}")
    return ""
