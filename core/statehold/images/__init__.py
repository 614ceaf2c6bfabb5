"""App images: built of a folder, verified completely, opened, and given their parameters and secrets."""

from __future__ import annotations

from statehold.images._build import build_image
from statehold.images._config import storage_config
from statehold.images._descriptor import read_descriptor
from statehold.images._evolving import Described, compare_descriptors
from statehold.images._image import AppImage
from statehold.images._inspect import inspect_image
from statehold.images._json import json_type, read_json_object
from statehold.images._layout import PACKAGES, PluginFile, PluginKind
from statehold.images._limits import ImageLimits
from statehold.images._manifest import FileEntry
from statehold.images._open import open_image, verify_image
from statehold.images._plain import plain
from statehold.images._problem import Problem
from statehold.images._redactor import Redactor
from statehold.images._settings import Descriptor, ExtensionSettings, Isolation, StorageSettings
from statehold.images._values import Values, resolve_values

__all__ = [
    "PACKAGES",
    "AppImage",
    "Described",
    "Descriptor",
    "ExtensionSettings",
    "FileEntry",
    "ImageLimits",
    "Isolation",
    "PluginFile",
    "PluginKind",
    "Problem",
    "Redactor",
    "StorageSettings",
    "Values",
    "build_image",
    "compare_descriptors",
    "inspect_image",
    "json_type",
    "open_image",
    "plain",
    "read_descriptor",
    "read_json_object",
    "resolve_values",
    "storage_config",
    "verify_image",
]
