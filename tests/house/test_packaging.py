"""What is built and what is imported agree; an edited source is not shadowed by what was compiled from it before.

Building is for ci/wheels.sh: this looks at the lists, the files, and what is installed.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from importlib import import_module, metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import pytest

import fastwsgi
from fastwsgi import backend
from fastwsgi.version import VERSION
from tests.conftest import without_compiled
from tests.helpers.processes import printed_by, python_path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(fastwsgi.__file__).parent
SOURCES = ROOT / "fastwsgi"
compiled = pytest.mark.skipif(without_compiled(), reason="told to run without the compiled build")


def constant(name: str) -> Any:
    """A constant of setup.py, which is not to be imported."""
    for statement in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return ast.literal_eval(statement.value)
    raise AssertionError(f"setup.py has no {name}")


def paths(pattern: str) -> set[str]:
    return {path.relative_to(SOURCES).with_suffix("").as_posix() for path in SOURCES.glob(pattern)}


def shared() -> set[str]:
    return {"{}/_{}_c".format(*name.split("/")) for name in constant("SHARED")}


def native() -> set[str]:
    return {*constant("NATIVE"), *constant("COMPILED_ONLY")}


def test_each_pyx_is_built() -> None:
    assert paths("**/*.pyx") == native()


def test_each_compiled_module_has_its_types_and_its_text() -> None:
    assert paths("**/*.pxd") == native() | shared() | set(constant("INLINE"))
    assert set(constant("SHARED")) <= paths("**/*.py")
    assert {name[: -len("_c")] + "_py" for name in constant("NATIVE")} == paths("**/_*_py.py")


def test_the_backend_imports_what_is_built() -> None:
    twins = {name.replace(".", "/") + "_c" for name in backend.TWINS.values()}
    assert twins == {f"fastwsgi/{name}" for name in constant("NATIVE")}
    assert [name.replace(".", "/") for name in backend.SHARED] == list(constant("SHARED"))


@compiled
def test_the_compiled_build_is_compiled_and_the_pure_one_is_not() -> None:
    for name, suffixes in (("c", tuple(EXTENSION_SUFFIXES)), ("py", (".py",))):
        modules = dict(vars(backend.build(name)))
        del modules["name"], modules["title"]
        if name == "py":
            assert [modules.pop(key) for key in backend.ALONE] == [None] * len(backend.ALONE)
        assert [module for module in modules.values() if not module.__file__.endswith(suffixes)] == []


@compiled
def test_all_compiled_modules_and_nothing_else_come_from_one_file() -> None:
    modules = [import_module("fastwsgi." + name.replace("/", ".")) for name in native() | shared()]
    assert {module.__file__ for module in modules} == {str(backend.COMPILED)}
    for name in ("fastwsgi.http.connection", "fastwsgi.http._inbox_py", "other._connection_c"):
        assert backend.CompiledFinder.find_spec(name) is None


TRAINING = """
import sys
sys.path[:0] = [{root!r}, {root!r} + "/ci"]
import train
cases, trained = list(train.all_cases())[::40], []
train.all_cases, train.ROUNDS = lambda: cases, 4
serve = train.instructions.serve
train.instructions.serve = lambda *given, **named: (serve(*given, **named), trained.append(given[1]))
train.main()
print(trained == list(train.instructions.PROFILES))
"""


@compiled
def test_a_build_by_profile_trains_on_all_profiles() -> None:
    """That each case passes is for test_http_cases.py; a few show that training knows how to play them."""
    assert printed_by(TRAINING.format(root=str(ROOT))) is True


def test_the_version_stands_in_one_place() -> None:
    assert fastwsgi.__version__ == VERSION
    assert f'"{VERSION}"' not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.fixture
def installed() -> metadata.Distribution:
    """The distribution, where it is installed and not just imported from the source tree."""
    try:
        return metadata.distribution("fastwsgi-server")
    except metadata.PackageNotFoundError:
        pytest.skip("fastwsgi-server is not installed for this interpreter")


def test_metadata(installed: metadata.Distribution) -> None:
    assert installed.version == VERSION
    assert installed.metadata["License-Expression"] == "MIT"
    assert installed.metadata["Requires-Python"] == ">=3.9"
    classifiers = installed.metadata.get_all("Classifier") or []
    for minor in range(9, 16):
        assert f"Programming Language :: Python :: 3.{minor}" in classifiers
    runtime = [line for line in installed.requires or [] if "extra ==" not in line]
    assert [line[: len("httptools")] for line in runtime] == ["httptools"]


def test_the_command_is_that_of_the_module(installed: metadata.Distribution) -> None:
    (command,) = (entry for entry in installed.entry_points if entry.group == "console_scripts")
    assert (command.name, command.value) == ("fastwsgi", "fastwsgi.cli:main")
    assert callable(getattr(import_module("fastwsgi.cli"), "main", None))


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


# Stale modules


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package, compiled modules and all, that a test may spoil."""
    shutil.copytree(SOURCES, tmp_path / "fastwsgi", ignore=shutil.ignore_patterns("__pycache__"))
    if PACKAGE != SOURCES:
        shutil.copytree(PACKAGE, tmp_path / "fastwsgi", dirs_exist_ok=True)
    return tmp_path / "fastwsgi"


def version(package: Path, forced: str) -> subprocess.CompletedProcess[str]:
    """`fastwsgi --version` of that package."""
    return subprocess.run(
        [sys.executable, "-m", "fastwsgi", "--version"],
        cwd=package.parent,
        env={**os.environ, "FASTWSGI_BACKEND": forced, "PYTHONPATH": python_path(package.parent)},
        capture_output=True,
        text=True,
        timeout=200,
    )


@compiled
@pytest.mark.parametrize(
    "name", ["http/connection.py", "http/_connection_c.pxd", "http/_wire_c.pyx", "server/_sockio_c.pyx"]
)
def test_an_edited_source_is_refused(package: Path, name: str) -> None:
    assert "(compiled)" in version(package, "").stdout
    with (package / name).open("a") as source:
        source.write("# edited\n")
    refused = version(package, "")
    assert refused.returncode == 1
    assert f"{name} was edited after it was compiled" in refused.stderr
    assert "(pure Python)" in version(package, "py").stdout


@compiled
def test_an_edited_source_of_the_pure_half_is_not_refused(package: Path) -> None:
    with (package / "server/loop.py").open("a") as source:
        source.write("# edited\n")
    assert "(compiled)" in version(package, "").stdout


@compiled
def test_a_wheel_has_no_sources_of_the_compiled_modules_and_misses_none(package: Path) -> None:
    for source in [*package.glob("**/*.pyx"), *package.glob("**/*.pxd")]:
        source.unlink()
    assert "(compiled)" in version(package, "").stdout


@compiled
def test_broken_modules_are_not_replaced_by_pure_ones(package: Path) -> None:
    (package / backend.COMPILED.name).write_bytes(b"no modules")
    broken = version(package, "")
    assert broken.returncode == 1
    assert "the server cannot be loaded" in broken.stderr


def test_without_compiled_modules_the_pure_build_runs(package: Path) -> None:
    (package / backend.COMPILED.name).unlink(missing_ok=True)
    assert "(pure Python)" in version(package, "").stdout
    assert version(package, "c").returncode == 1


@compiled
def test_the_record_names_every_source() -> None:
    record = json.loads((PACKAGE / constant("RECORD")).read_text(encoding="utf-8"))[EXTENSION_SUFFIXES[0]]
    assert {Path(name).with_suffix("").as_posix() for name in record if not name.endswith(".py")} == (
        native() | shared() | set(constant("INLINE"))
    )
    assert {name for name in record if name.endswith(".py")} == {f"{name}.py" for name in constant("SHARED")}
