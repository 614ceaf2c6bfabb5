"""The pytest fixture opens a stage for the application that a test lies in, or for another one."""

from __future__ import annotations

import shutil


def test_the_fixture_finds_the_application_around_the_test_or_the_one_that_is_named(pytester, folder):
    shutil.copytree(folder, pytester.path / "acme.shop")
    (pytester.path / "acme.shop" / "tests").mkdir()
    (pytester.path / "acme.shop" / "tests" / "test_shop.py").write_text(
        "def test_one(statehold_app):\n"
        "    app = statehold_app()\n"
        "    app.put('Stock', Shelf='tea', Name='Assam', Amount=7)\n"
        "    assert app.query('Find', {'Shelf': 'tea', 'Name': '', 'Amount': 0}).result == {'Left': 7}\n"
        "def test_two(statehold_app):\n"
        "    app = statehold_app()\n"
        "    assert app.rows('Stock') == []\n"
    )
    (pytester.path / "test_others.py").write_text(
        f"def test_three(statehold_app):\n"
        f"    app = statehold_app({str(folder)!r}, secrets={{'Bank': 'x'}})\n"
        f"    assert app.secrets == {{'Bank': 'x'}}\n"
        f"def test_four(statehold_app):\n"
        f"    statehold_app()\n"
    )
    result = pytester.runpytest_inprocess("-q", "-p", "no:xdist")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*lies in no folder with image/pkg: name one*"])
