from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from statehold.images import build_image, inspect_image, open_image

Put = Callable[..., Path]
BILLS = "image/pkg/acme.example/bills/bills.vsql"


def test_a_folder_and_its_image_say_the_same(source: Path) -> None:
    folder = dict(inspect_image(source))
    packed = dict(inspect_image(build_image(source)))
    assert (folder.pop("packed"), packed.pop("packed")) == (False, True)
    assert folder == packed


def test_the_answer_is_json_and_complete(source: Path) -> None:
    with open_image(source) as image:
        shown = json.loads(json.dumps(inspect_image(source), allow_nan=False))
        assert (shown["app"], shown["version"], shown["digest"]) == (image.app, image.version, image.digest)
        assert [file["path"] for file in shown["files"]] == sorted(image.files)
        assert shown["size"] == sum(entry.size for entry in image.files.values())
    package = shown["packages"]["acme.example/bills"]
    assert package["declarations"] == ["bills.vsql", "scada.vsql"]
    assert [plugin["name"] for plugin in package["plugins"]] == ["storages-1.0.whl"]


def test_only_declared_parameters_without_a_telling_name_are_shown(source: Path, put: Put) -> None:
    put(
        source,
        {
            BILLS: (
                "PARAMETER Url text DEFAULT 'x'; PARAMETER Site text; parameter ApiKey text;\n"
                "SECRET Door text; secret\n -- really\n Gate text; SECRET /* now */ Lock text;\n"
                "-- PARAMETER Door text; PARAMETER Window text;\n"
            ),
            "descriptor.json": json.dumps(
                {
                    "PackageParams": {
                        "bills": {
                            "Url": "http://user:hunter2@plant/x",
                            "Site": "north",
                            "ApiKey": "hunter2",
                            "Door": "hunter2",
                            "Gate": "hunter2",
                            "Lock": "hunter2",
                            "Window": "hunter2",
                            "Typo": "hunter2",
                        }
                    },
                    "Storages": {
                        "bills.Scada": {
                            "allow": {
                                "network": ["http://me:hunter2@host"],
                                "token": "hunter2",
                                "debug": True,
                            }
                        }
                    },
                }
            ),
        },
    )
    shown = inspect_image(source)
    text = json.dumps(shown)
    assert "hunter2" not in text
    params = json.loads(text)["descriptor"]["PackageParams"]["bills"]
    assert params == {
        **dict.fromkeys(["ApiKey", "Door", "Gate", "Lock", "Window", "Typo"], "***"),
        "Url": "http://***@plant/x",
        "Site": "north",
    }
