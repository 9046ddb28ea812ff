"""Imports go downwards only, as the design has it:

    config.cli, __main__ -> process -> server, observe -> http/connection -> http/wsgi, body -> head -> framing
        -> the twins (_environ_*, _response_*, _wire_*) -> grammar, errors

and what http/ says of itself: no socket, no clock, no process. Read from the text, so that imports inside functions and
under conditions count as well.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fastwsgi"

# From the top down. A module imports from rows below its own, and from its own row.
LAYERS = [
    {"fastwsgi", "fastwsgi.__main__", "fastwsgi.demo"},
    {"fastwsgi.config.cli"},
    {
        *("fastwsgi.config.deployment", "fastwsgi.config.report", "fastwsgi.config.manual"),
        *("fastwsgi.config.arguments", "fastwsgi.config.sources"),
        *("fastwsgi.config.files", "fastwsgi.config.gunicorn_file"),
        *("fastwsgi.config.check", "fastwsgi.config.loader", "fastwsgi.config.recognise"),
    },
    {"fastwsgi.process.*"},
    {"fastwsgi.server.*", "fastwsgi.observe.*"},
    {"fastwsgi.http.backend"},
    {"fastwsgi.http.connection"},
    {"fastwsgi.http.wsgi", "fastwsgi.http.body", "fastwsgi.http.shared", "fastwsgi.http.forwarded"},
    {"fastwsgi.http.head"},
    {"fastwsgi.http.framing"},
    {"fastwsgi.http._environ_py", "fastwsgi.http._response_py", "fastwsgi.http._wire_py", "fastwsgi.http._baton_py"},
    {
        *("fastwsgi.http.grammar", "fastwsgi.http.errors", "fastwsgi.http.naming"),
        "fastwsgi.http.proxy_protocol",
    },
    # Leaves that anybody may import
    {
        *("fastwsgi.config.settings", "fastwsgi.config.setting", "fastwsgi.config.kinds", "fastwsgi.config.cpus"),
        *("fastwsgi.config.hooks", "fastwsgi.config.request_hooks", "fastwsgi.config.gunicorn"),
        *("fastwsgi.config.mistakes", "fastwsgi.version", "fastwsgi.http.peers"),
    },
    {"fastwsgi.config", "fastwsgi.http", "fastwsgi.process", "fastwsgi.server", "fastwsgi.observe"},
]
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


def layer(name: str) -> int:
    """The row of a module, the top being 0."""
    for number, row in enumerate(LAYERS):
        if name in row:
            return number
    for number, row in enumerate(LAYERS):
        if f"{name.rpartition('.')[0]}.*" in row:
            return number
    raise AssertionError(f"{name} has no layer: give it one in LAYERS")


def imports(path: Path) -> set[str]:
    """All modules that a source names in an import statement, wherever it stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            base = node.module or ""
            found |= {full if (full := f"{base}.{alias.name}") in NAMES else base for alias in node.names}
    return found


@pytest.mark.parametrize("name", NAMES)
def test_imports_go_downwards(name: str) -> None:
    upwards = [
        imported
        for imported in imports(NAMES[name])
        if imported.split(".")[0] == "fastwsgi" and layer(imported) < layer(name)
    ]
    assert upwards == []


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
    assert headers & {"sys/socket.h", "sys/epoll.h", "time.h", "sys/time.h", "unistd.h", "pthread.h"} == set()
    assert "posix" not in modules


def test_httptools_is_known_to_the_head_alone() -> None:
    knowing = {name for name, path in NAMES.items() if "httptools" in {one.split(".")[0] for one in imports(path)}}
    assert knowing == {"fastwsgi.http.head"}


def test_nothing_of_the_package_imports_its_tests_or_tools() -> None:
    used = {imported.split(".")[0] for path in SOURCES for imported in imports(path)}
    assert used & {"tests", "pytest", "hypothesis", "Cython", "cython", "setuptools"} == set()


def test_shared_sources_import_no_twin() -> None:
    """What they need of a twin is handed to them: so neither build can reach into the other."""
    for name in ("connection", "wsgi", "body", "head", "framing"):
        twins = {one for one in imports(PACKAGE / "http" / f"{name}.py") if re.search(r"\._\w+_(c|py)$", one)}
        assert twins == set(), name
