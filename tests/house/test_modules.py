"""The lists of modules agree: setup.py, backend.py, the files, and what the two builds offer.

A module that setup.py forgets would run pure in silence; a twin that lacks a method fails at a customer's.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from fastwsgi import backend
from fastwsgi.http.grammar import HeadLimits
from fastwsgi.settings.settings import Settings
from tests.conftest import without_compiled

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "fastwsgi"
compiled_only = pytest.mark.skipif(without_compiled(), reason="told to run without the compiled build")


def setup_list(name: str) -> tuple[str, ...]:
    """A tuple of setup.py, read without running it."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            found: tuple[str, ...] = ast.literal_eval(node.value)
            return found
    raise AssertionError(f"setup.py has no {name}")


NATIVE = setup_list("NATIVE")  # "http/_inbox_c"
COMPILED_ONLY = setup_list("COMPILED_ONLY")  # "http/_scanner_c"
SHARED = setup_list("SHARED")  # "http/framing"
INLINE = setup_list("INLINE")


def dotted(path: str) -> str:
    return "fastwsgi." + path.replace("/", ".")


# The files


@pytest.mark.parametrize("name", NATIVE)
def test_a_native_module_has_its_three_files(name: str) -> None:
    assert name.endswith("_c")
    for path in (f"{name}.pyx", f"{name}.pxd", f"{name[:-2]}_py.py"):
        assert (PACKAGE / path).exists(), path


@pytest.mark.parametrize("name", COMPILED_ONLY)
def test_a_module_that_is_only_compiled_has_its_two_files(name: str) -> None:
    assert name.endswith("_c")
    for path in (f"{name}.pyx", f"{name}.pxd"):
        assert (PACKAGE / path).exists(), path


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_module_has_its_types_beside_it(name: str) -> None:
    folder, _, stem = name.rpartition("/")
    assert (PACKAGE / f"{name}.py").exists()
    assert (PACKAGE / folder / f"_{stem}_c.pxd").exists()


def test_no_file_of_the_compiled_half_is_forgotten() -> None:
    def stems(pattern: str) -> set[str]:
        return {str(path.relative_to(PACKAGE).with_suffix("")) for path in PACKAGE.rglob(pattern)}

    shared = {re.sub(r"(\w+)$", r"_\1_c", name) for name in SHARED}
    assert stems("*.pxd") == {*NATIVE, *COMPILED_ONLY, *shared, *INLINE}
    assert stems("*.pyx") == {*NATIVE, *COMPILED_ONLY}
    assert stems("_*_py.py") == {f"{name[:-2]}_py" for name in NATIVE}


def test_backend_and_setup_agree() -> None:
    assert {f"{module}_c" for module in backend.TWINS.values()} == {dotted(name) for name in NATIVE}
    assert set(backend.ALONE.values()) <= set(map(dotted, COMPILED_ONLY))
    assert tuple(name.replace(".", "/") for name in backend.SHARED) == SHARED


@compiled_only
def test_each_build_is_what_it_says() -> None:
    for key, module in vars(backend.build("c")).items():
        if key not in ("name", "title"):
            assert not module.__file__.endswith(".py"), f"{key} of the compiled build is {module.__file__}"
    assert not any(getattr(backend.build("py"), key) for key in backend.ALONE)
    for key, module in vars(backend.build("py")).items():
        if key not in ("name", "title", *backend.ALONE):
            assert module.__file__.endswith(".py"), f"{key} of the pure build is {module.__file__}"


@compiled_only
def test_what_was_compiled_is_recorded() -> None:
    recorded = json.dumps(json.loads(backend.RECORD.read_text()))
    for name in SHARED:
        assert f'"{name}' in recorded


# The wheel


def test_every_folder_with_sources_is_a_package() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
    text = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'^fastwsgi = \["py\.typed", ', text, re.MULTILINE)
    assert "include-package-data = false" in text  # else the C sources come along


# Defaults


def test_the_limits_of_a_head_are_those_of_the_settings(build: SimpleNamespace) -> None:
    """HeadLimits has defaults of its own, for those who use http/ without settings."""
    settings = Settings()
    assert HeadLimits() == (
        settings.limit_request_line,
        settings.limit_request_fields,
        settings.limit_request_field_size,
        settings.limit_request_head,
    )
    assert settings.limit_request_head + 65536 <= build.inbox.CAPACITY


# What the two forms of a module offer


def public(module: ModuleType) -> dict[str, Any]:
    """What a module defines for others: no imports, nothing that begins with an underscore."""
    return {
        name: thing
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and not isinstance(thing, ModuleType)
        and getattr(thing, "__module__", module.__name__) == module.__name__
        and not hasattr(thing, "compiler_flag")  # from __future__ import annotations
    }


def members(kind: type) -> set[str]:
    """The public methods of a class, and what Python calls on it; attributes that instances get are not there."""
    special = {"__init__", "__call__", "__iter__", "__next__"}
    return {
        name
        for name, thing in vars(kind).items()
        if callable(thing) and (not name.startswith("_") or name in special)
    } - {"__init__"}


def declared_in_c(module: str) -> set[str]:
    """The methods that only other compiled modules can call, from the .pxd of *module*."""
    path = (ROOT / module.replace(".", "/")).with_suffix(".pxd")
    return set(re.findall(r"^    cdef .*?(\w+)\(self\b", path.read_text(), re.MULTILINE)) if path.exists() else set()


def pairs() -> list[tuple[str, str]]:
    """The modules of both builds: compiled, pure."""
    native = [(dotted(name), dotted(f"{name[:-2]}_py")) for name in NATIVE]
    return native + [(re.sub(r"(\w+)$", r"_\1_c", dotted(name)), dotted(name)) for name in SHARED]


def classes(module: ModuleType) -> dict[str, type]:
    return {name: thing for name, thing in public(module).items() if isinstance(thing, type)}


@compiled_only
@pytest.mark.parametrize(("compiled", "pure"), pairs())
def test_both_forms_have_the_same_classes_with_the_same_methods(compiled: str, pure: str) -> None:
    ours, theirs = classes(importlib.import_module(compiled)), classes(importlib.import_module(pure))
    assert set(ours) == set(theirs)
    for name in ours:
        in_c = declared_in_c(compiled)
        assert members(ours[name]) | in_c >= members(theirs[name]) or pure in map(dotted, SHARED), name
        assert members(ours[name]) <= members(theirs[name]) or pure in map(dotted, SHARED), name


@compiled_only
@pytest.mark.parametrize(("compiled", "pure"), pairs()[: len(NATIVE)])
def test_both_forms_have_the_same_constants(compiled: str, pure: str) -> None:
    ours, theirs = importlib.import_module(compiled), importlib.import_module(pure)
    names = {name for name in {**public(ours), **public(theirs)} if name.isupper()} - {"TOKEN_CHARS", "HOP_BY_HOP"}
    for name in names:
        if hasattr(ours, name) and hasattr(theirs, name):
            assert getattr(ours, name) == getattr(theirs, name), name


SIGNATURE = re.compile(r"^    cpdef\s+(?:[\w ]+\s)?(\w+)\(self(?:,\s*)?(.*?)\)", re.MULTILINE | re.DOTALL)


def native_signatures(name: str) -> dict[str, list[str]]:
    """Class.method -> names of its arguments, from the text of a .pyx: a compiled method tells no signature."""
    found = {}
    text = (PACKAGE / f"{name}.pyx").read_text()
    for kind, block in re.findall(r"^cdef class (\w+).*?:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL):
        for method, arguments in SIGNATURE.findall(block):
            found[f"{kind}.{method}"] = [one.split("=")[0].split()[-1] for one in arguments.split(",") if one.strip()]
    return found


@pytest.mark.parametrize("name", NATIVE)
def test_methods_of_native_modules_take_the_arguments_of_their_twins(name: str) -> None:
    pure = importlib.import_module(dotted(f"{name[:-2]}_py"))
    found = native_signatures(name)
    assert found
    for method, arguments in found.items():
        kind, _, attribute = method.partition(".")
        assert list(inspect.signature(getattr(getattr(pure, kind), attribute)).parameters)[1:] == arguments, method


def test_a_pure_process_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backend.build_title("c") != backend.build_title("py")
    monkeypatch.setenv("FASTWSGI_BACKEND", "rust")
    with pytest.raises(ImportError, match="FASTWSGI_BACKEND"):
        backend._choose()


@compiled_only
def test_a_stale_binary_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edited source must not be shadowed by what was compiled from the text before."""
    for path in PACKAGE.rglob("*"):
        if path.suffix in (".py", ".pyx", ".pxd", ".json"):
            copy = tmp_path / path.relative_to(PACKAGE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(backend, "RECORD", tmp_path / backend.RECORD.name)
    backend._check_fresh()
    with (tmp_path / "http" / "framing.py").open("a") as edited:
        edited.write("# edited\n")
    with pytest.raises(ImportError, match=r"framing\.py"):
        backend._check_fresh()


def test_builds_live_in_one_process(build: SimpleNamespace) -> None:
    assert build is backend.build(build.name)
    assert build.connection.__name__.endswith("._connection_c") == (build.name == "c")
