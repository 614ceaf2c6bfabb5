from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from statehold.images._image import AppImage
from statehold.images._limits import ImageLimits
from statehold.images._open import DEFAULT_LIMITS, open_image
from statehold.images._settings import StorageSettings

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_DECLARED = re.compile(r"\b(PARAMETER|SECRET)\s+([^\W\d]\w*)", re.IGNORECASE)
_TELLING = re.compile(r"secret|pass|pwd|token|credential|private|auth|key|pin\b", re.IGNORECASE)
_USER = re.compile(r"(?<=//)[^/@\s]+(?=@)")
_MASK = "***"


def inspect_image(path: Path, *, limits: ImageLimits = DEFAULT_LIMITS) -> Mapping[str, object]:
    """Return what is in the image at *path*, ready for JSON.

    The value of a package parameter is shown only where the image declares a PARAMETER of that name
    and nothing hints at a secret.

    Raises:
        ImageError: as `open_image` does.

    """
    with open_image(path, limits=limits) as image:
        descriptor = image.descriptor
        return {
            "app": image.app,
            "version": image.version,
            "digest": image.digest,
            "packed": path.is_file(),
            "size": sum(entry.size for entry in image.files.values()),
            "descriptor": {
                "NumParts": descriptor.num_parts,
                "EnginePoolSize": list(descriptor.engine_pool_size),
                "NumAppWorkspaces": descriptor.num_app_workspaces,
                "Version": descriptor.version,
                "PackageParams": _params(image),
                "Storages": {name: _settings(item) for name, item in descriptor.storages.items()},
                "Extensions": {
                    name: {
                        "limits": {
                            "memory_mib": item.memory_mib,
                            "seconds": {str(kind): seconds for kind, seconds in item.seconds.items()},
                        }
                    }
                    for name, item in descriptor.extensions.items()
                },
            },
            "packages": {package: _package(image, package) for package in image.packages},
            "files": [
                {"path": name, "size": entry.size, "sha256": entry.sha256}
                for name, entry in image.files.items()
            ],
        }


def _package(image: AppImage, package: str) -> dict[str, object]:
    return {
        "declarations": list(image.packages[package]),
        "wasm": image.wasm.get(package),
        "extensions": list(image.extensions.get(package, ())),
        "plugins": [
            {
                "name": plugin.name,
                "version": plugin.version,
                "kind": plugin.kind.value,
                "size": plugin.size,
                "sha256": plugin.sha256,
            }
            for plugin in image.plugins
            if plugin.package == package
        ],
    }


def _settings(settings: StorageSettings) -> dict[str, object]:
    return {
        "isolation": settings.isolation.value if settings.isolation else None,
        "limits": dict(settings.limits),
        "scopes": {operation.value: sorted(scopes) for operation, scopes in settings.scopes.items()},
        "allow": {name: _allowed(name, item) for name, item in settings.allow.items()},
        "version": settings.version,
    }


def _allowed(name: str, value: object) -> object:
    if isinstance(value, tuple):
        return [_shown(name, item) for item in value]
    return _shown(name, value)


def _shown(name: str, value: object) -> object:
    if _TELLING.search(name):
        return _MASK
    return _USER.sub(_MASK, value) if isinstance(value, str) else value


def _params(image: AppImage) -> dict[str, dict[str, object]]:
    shown: set[str] = set()
    hidden: set[str] = set()
    for files in image.packages.values():
        for text in files.values():
            # Comments are blanked both ways: a secret in one must not be missed, nor a parameter believed.
            for word, name in _DECLARED.findall(_COMMENT.sub(" ", text)):
                (shown if word.upper() == "PARAMETER" else hidden).add(name)
            hidden.update(name for word, name in _DECLARED.findall(text) if word.upper() == "SECRET")
    return {
        package: {
            name: _shown(name, value) if name in shown - hidden else _MASK for name, value in params.items()
        }
        for package, params in image.descriptor.package_params.items()
    }
