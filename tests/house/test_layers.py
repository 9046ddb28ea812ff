"""Imports go downwards only: each folder of the package is a floor, and imports from the floors below it.

The modules beside the folders are the front doors, at the top, but for those that import nothing of the package: they
are the ground. What http/ says of itself holds, too: no socket, no clock, no process. All is read from the texts, so
that imports inside functions and under conditions count as well, and so do modules that are named by strings. Imports
for the type checker alone do not count.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "fastwsgi"

# From the top down; the front doors are above them, and the ground is below
FLOORS = ["process", "status", "application", "settings", "gunicorn", "server", "tls", "static", "observe", "http"]
FORBIDDEN_IN_HTTP = {
    *{"socket", "select", "selectors", "ssl", "asyncio", "time", "datetime", "threading", "multiprocessing"},
    *{"signal", "subprocess", "concurrent", "socketserver"},
}
FORBIDDEN_IN_OS = {"fork", "forkpty", "register_at_fork", "kill", "wait", "waitpid", "system", "times"}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    """The dotted name of a source."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_name(path): path for path in SOURCES}


def code_of(path: Path) -> Iterator[ast.AST]:
    """All nodes of a source but what stands under `if TYPE_CHECKING:`."""
    nodes: list[ast.AST] = [ast.parse(path.read_text())]
    for node in nodes:  # grows meanwhile
        yield node
        skipped = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        nodes.extend(node.orelse if isinstance(node, ast.If) and skipped else ast.iter_child_nodes(node))


def imports(path: Path) -> set[str]:
    """All modules that a source imports, wherever the statement stands."""
    found = set()
    for node in code_of(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            base = node.module or ""
            found |= {full if (full := f"{base}.{alias.name}") in NAMES else base for alias in node.names}
    return found


def named(path: Path) -> set[str]:
    """All modules of the package that a source names in a string, as it must to import one by its name."""
    texts = {node.value for node in code_of(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    whole = {text if text.startswith("fastwsgi.") else f"fastwsgi.{text}" for text in texts if "." in text}
    return {name for name in NAMES if name in whole or (name.endswith("_py") and name[: -len("_py")] in whole)}


def used(name: str) -> set[str]:
    """The modules of the package that another one uses."""
    path = NAMES[name]
    return {one for one in imports(path) | named(path) if one.split(".")[0] == "fastwsgi" and one != name}


def floor(name: str) -> int:
    """The number of the floor that a module is on, the front doors' being 0. The ground stands on itself alone."""
    parts = name.split(".")
    if len(parts) > 1 and parts[1] == "contrib":  # more front doors, each in the house of a framework
        return 0
    if len(parts) > 1 and parts[1] in FLOORS:
        return 1 + FLOORS.index(parts[1])
    assert NAMES[name].parent == PACKAGE, f"{name} is on no floor: name its folder in FLOORS"
    stands_on = {floor(other) for other in used(name) if other in NAMES and other != "fastwsgi"}
    return 0 if name == "fastwsgi" or stands_on - {1 + len(FLOORS)} else 1 + len(FLOORS)


@pytest.mark.parametrize("name", NAMES)
def test_imports_go_downwards(name: str) -> None:
    assert [other for other in used(name) if other in NAMES and floor(other) < floor(name)] == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    left = {name: {other for other in used(name) if other in NAMES and other != "fastwsgi"} for name in NAMES}
    while ends := [name for name, others in left.items() if not others & left.keys()]:
        for name in ends:
            del left[name]
    assert left == {}


@pytest.mark.parametrize("path", [*PACKAGE.rglob("*.pyx"), *PACKAGE.rglob("*.pxd")], ids=lambda path: path.name)
def test_the_compiled_half_goes_downwards_too(path: Path) -> None:
    ours = path.parent.name
    others = set(re.findall(r"^\s*from fastwsgi\.(\w+)(?:\.\w+)? c?import", path.read_text(), re.MULTILINE))
    others = {other for other in others if (PACKAGE / other).is_dir()}  # the rest is the ground
    if ours == PACKAGE.name:
        assert others == set()
        return
    assert [other for other in others if FLOORS.index(other) < FLOORS.index(ours)] == []


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("fastwsgi.http")])
def test_http_knows_no_socket_clock_or_process(name: str) -> None:
    tree = ast.parse(NAMES[name].read_text())
    assert {imported.split(".")[0] for imported in imports(NAMES[name])} & FORBIDDEN_IN_HTTP == set()
    of_os = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    assert of_os & FORBIDDEN_IN_OS == set()


@pytest.mark.parametrize("path", [*PACKAGE.glob("http/*.pyx"), *PACKAGE.glob("http/*.pxd")], ids=lambda path: path.name)
def test_the_compiled_half_of_http_knows_none_either(path: Path) -> None:
    text = path.read_text()
    imported = re.findall(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))", text, re.MULTILINE)
    modules = {name.split(".")[0] for pair in imported for name in pair if name}
    assert modules & FORBIDDEN_IN_HTTP == set()
    headers = set(re.findall(r"(?:#include <|cdef extern from \"<?)([\w/.]+)", text))
    if path.name == "_meter_c.pyx":
        headers.remove("time.h")
    assert headers & {"sys/socket.h", "sys/epoll.h", "time.h", "sys/time.h", "unistd.h", "pthread.h"} == set()
    assert "posix" not in modules


METER = "fastwsgi.http._meter_py"  # it reads the clock at the end of each response, and threads count by turns
STANDARD = {"os", "select", "signal", "socket", "threading", "time"}
GROUND = {"fastwsgi.originals", "fastwsgi.mistakes", "fastwsgi.stamps"}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in GROUND])
def test_modules_that_applications_change_come_from_originals(name: str) -> None:
    assert imports(NAMES[name]) & STANDARD == set()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("fastwsgi.http")])
def test_http_takes_none_of_them_from_there_but_os(name: str) -> None:
    nodes = [node for node in code_of(NAMES[name]) if isinstance(node, ast.ImportFrom)]
    taken = {alias.name for node in nodes if node.module == "fastwsgi.originals" for alias in node.names}
    assert taken <= ({"threading", "time"} if name == METER else {"os"})


def test_httptools_is_known_to_the_head_alone() -> None:
    knowing = {name for name, path in NAMES.items() if "httptools" in {one.split(".")[0] for one in imports(path)}}
    assert knowing == {"fastwsgi.http.head"}


def test_nothing_of_the_package_imports_its_tests_or_tools() -> None:
    used = {imported.split(".")[0] for path in SOURCES for imported in imports(path)}
    assert used & {"tests", "pytest", "hypothesis", "Cython", "cython", "setuptools"} == set()


def constant_shared() -> list[str]:
    """The sources that are compiled under a second name, from setup.py."""
    text = (PACKAGE.parent / "setup.py").read_text()
    return list(ast.literal_eval(re.search(r"^SHARED = (\([^)]*\))", text, re.MULTILINE)[1]))  # type: ignore[index]


def test_shared_sources_import_no_twin() -> None:
    """What they need of a twin is handed to them: so neither build can reach into the other."""
    for name in constant_shared():
        twins = {one for one in imports(PACKAGE / f"{name}.py") if re.search(r"\._\w+_(c|py)$", one)}
        assert twins == set(), name
