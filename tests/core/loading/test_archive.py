"""A plugin file is read once, completely, and refused if it is damaged, hostile or compiled."""

from __future__ import annotations

import os
import warnings
import zipfile
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statehold.loading import _archive, load_plugin
from statehold.loading._archive import open_archive
from statehold.sdk import PluginError


def test_a_file_is_opened_once_until_it_changes(make_wheel):
    """The same file is the same archive; a file written anew is another one."""
    wheel = make_wheel()
    first = open_archive(wheel)
    assert open_archive(wheel) is first
    wheel.write_bytes(wheel.read_bytes())
    os.utime(wheel, ns=(1, 1))
    assert open_archive(wheel) is not first


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip" * 100])
def test_what_is_no_zip_is_refused(tmp_path, content):
    """The error names the file and says what is expected."""
    file = tmp_path / "storages-1.whl"
    file.write_bytes(content)
    with pytest.raises(PluginError, match=r"storages-1.whl cannot be opened.*A plugin file is a wheel"):
        open_archive(file)


def test_a_missing_file_is_refused(tmp_path):
    """The error names the file."""
    with pytest.raises(PluginError, match="No such file"):
        open_archive(tmp_path / "nothing.whl")


@pytest.mark.parametrize(
    "name", ["scada/fast.so", "scada/_x.cpython-311-x86_64-linux-gnu.so", "x.pyd", "l/z.so.1"]
)
def test_compiled_extensions_are_refused(make_wheel, name):
    """A process has a compiled extension only once and never lets go: the error says where to put it."""
    with pytest.raises(PluginError, match=r"compiled extensions \(.*Install what has them beside Statehold"):
        load_plugin(make_wheel({name: b"\x7fELF"}), owner="acme.bills 1")


def test_code_without_its_source_is_refused(make_wheel):
    """A lone .pyc has no source to show, and depends on the Python version."""
    with pytest.raises(PluginError, match=r"without its source \(scada/secret.pyc\)"):
        load_plugin(make_wheel({"scada/secret.pyc": b"\0"}), owner="acme.bills 1")


@pytest.mark.parametrize("part", ["purelib", "platlib"])
def test_code_that_only_an_installer_finds_is_refused(make_wheel, part):
    """Nothing is installed here: such a package would seem to lack its modules."""
    name = f"acme_scada-1.0.data/{part}/scada/points.py"
    with pytest.raises(PluginError, match=rf"only an installer finds it \({name}\).*pure wheel"):
        load_plugin(make_wheel({name: ""}), owner="acme.bills 1")


def test_scripts_for_an_installer_are_left_alone(make_wheel):
    """They are no part of what a host runs."""
    load_plugin(make_wheel({"acme_scada-1.0.data/scripts/points": "#!"}), owner="acme.bills 1").free()


@pytest.mark.parametrize("name", ["../evil.py", "/evil.py", "scada/../../evil.py", "scada\\evil.py"])
def test_hostile_names_are_refused(make_wheel, name):
    """Names that lead out of the file are an attack."""
    with pytest.raises(PluginError, match="is hostile"):
        open_archive(make_wheel({name: ""}))


def test_a_name_given_twice_is_refused(make_wheel):
    """Two members of one name leave open which one is meant."""
    wheel = make_wheel()
    with warnings.catch_warnings(), zipfile.ZipFile(wheel, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("scada/__init__.py", "")
    with pytest.raises(PluginError, match="holds a name twice"):
        open_archive(wheel)


def test_a_zip_bomb_is_refused(make_wheel, monkeypatch):
    """The size after unpacking is bounded before anything is unpacked."""
    monkeypatch.setattr(_archive, "_MAX_BYTES", 1024 * 1024)
    with pytest.raises(PluginError, match="too large"):
        open_archive(make_wheel({"scada/zeros.bin": b"\0" * 2_000_000}))


def test_a_damaged_member_is_refused(make_wheel):
    """A wrong checksum inside the zip is an error of the plugin file, not a crash."""
    wheel = make_wheel({"scada/__init__.py": "# " + "".join(map(chr, range(65, 90))) + "\n"})
    data = bytearray(wheel.read_bytes())
    data[60] ^= 0xFF
    wheel.write_bytes(data)
    with pytest.raises(PluginError, match=r"storages-1.whl"):
        load_plugin(wheel, owner="acme.bills 1")


def test_metadata_without_name_and_version_is_refused(make_wheel):
    """What calls itself nothing cannot be reported."""
    with pytest.raises(PluginError, match="gives no name and version"):
        open_archive(make_wheel({"other-1.dist-info/METADATA": "Metadata-Version: 2.1\n"}))


def test_entry_points_are_read_with_comments_and_spaces(make_wheel):
    """The file is read as installers read it."""
    wheel = make_wheel(
        {
            "z-1.dist-info/METADATA": "Name: z\nVersion: 1\n",
            "z-1.dist-info/entry_points.txt": "# a comment\n\n[ group ]\n; no\n a = m : x \n[b]\nc=d\n",
        }
    )
    metadata = open_archive(wheel).metadata[-1]
    assert metadata.entry_points == {"group": {"a": "m : x"}, "b": {"c": "d"}}


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(min_value=0), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_file_with_flipped_bytes_loads_or_is_refused(make_wheel, tmp_path, changes):
    """Whatever happens to a plugin file on its way, it is a PluginError or no harm."""
    data = bytearray(_wheel(make_wheel, tmp_path))
    for position, value in changes:
        data[position % len(data)] = value
    damaged = tmp_path / f"{hash(bytes(data))}.whl"
    damaged.write_bytes(data)
    with suppress(PluginError):
        load_plugin(damaged, owner="acme.bills 1").free()


def _wheel(make_wheel, tmp_path) -> bytes:
    known = tmp_path / "wheels/0/storages-1.whl"
    return (known if known.exists() else make_wheel()).read_bytes()
