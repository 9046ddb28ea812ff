"""Nothing on the way of LoopLost catches everything, but in places that are named here: so it cannot be forgotten.

A thread that has lost the loop must touch nothing of it any more. LoopLost tells it so, if it comes through; what it
then leaves undone is in server/test_loop_lost.py.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "fastwsgi"
SOURCES = sorted([PACKAGE / "simple.py", *PACKAGE.glob("server/*.py"), *PACKAGE.glob("http/*.py")])
EVERYTHING = {"BaseException", "LoopLost"}

# What may catch everything, and why LoopLost is not lost there
CATCHES = {
    ("threads", "_serve"): "the thread's own work: it becomes a spare",
    ("threads", "_work"): "a thread's outermost frame: what ends the loop is raised where run() was called",
    ("loop", "_run_alone"): "the thread that called run(): it waits for the end",
    ("loops", "_run"): "the outermost frame of a loop's thread: what ends the loop is raised where run() was called",
    ("loop_thread", "_work"): "around what makes the loop: nothing serves yet",
    ("loops", "_made"): "around the making of loops: nothing serves yet",
    ("exchange", "go_on"): "around the application, in which nothing raises LoopLost",
    ("exchange", "_finish"): "around close() of the application's iterable",
    ("naming", "full_name"): "around values of environ, which are the application's",
}


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    """All functions and methods of a source; none stands in another."""
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


def names_in(node: ast.expr | None) -> set[str]:
    """The names in an expression, of attributes the last part."""
    nodes = [] if node is None else list(ast.walk(node))
    return {one.id for one in nodes if isinstance(one, ast.Name)} | {
        one.attr for one in nodes if isinstance(one, ast.Attribute)
    }


def catches_everything(node: ast.AST) -> bool:
    """Whether a handler, or a suppress(), catches LoopLost, too."""
    if isinstance(node, ast.ExceptHandler):
        return node.type is None or bool(names_in(node.type) & EVERYTHING)
    if isinstance(node, ast.Call) and "suppress" in names_in(node.func):
        return any(names_in(argument) & EVERYTHING for argument in node.args)
    return False


def leaves(nodes: list[ast.stmt], in_loop: bool = False) -> bool:
    """Whether these statements, of a finally, end in another way than by going on: that drops the exception."""
    for node in nodes:
        if isinstance(node, ast.Return) or (isinstance(node, (ast.Break, ast.Continue)) and not in_loop):
            return True
        inner = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt)]
        handlers = [one for handler in getattr(node, "handlers", []) for one in handler.body]
        if leaves(inner + handlers, in_loop or isinstance(node, (ast.For, ast.While))):
            return True
    return False


def test_nothing_catches_everything_but_the_places_named() -> None:
    found = {
        (path.stem, function.name)
        for path in SOURCES
        for function in functions(path)
        if any(catches_everything(node) for node in ast.walk(function))
    }
    assert found == CATCHES.keys()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_finally_drops_an_exception(path: Path) -> None:
    tries = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Try)]
    assert [node.lineno for node in tries if leaves(node.finalbody)] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_exit_drops_an_exception(path: Path) -> None:
    exits = [function for function in functions(path) if function.name == "__exit__"]
    returns = [node for function in exits for node in ast.walk(function) if isinstance(node, ast.Return)]
    assert [node.lineno for node in returns if node.value is not None] == []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.pyx")), ids=lambda path: path.stem)
def test_the_compiled_half_catches_nothing_of_the_kind(path: Path) -> None:
    assert re.findall(r"^\s*(?:except\s*:|except.*(?:BaseException|LoopLost))", path.read_text(), re.MULTILINE) == []


CAUGHT = {
    "bare": "try: f()\nexcept: pass",
    "all": "try: f()\nexcept (OSError, BaseException): pass",
    "named": "try: f()\nexcept errors.LoopLost: pass",
    "suppressed": "with contextlib.suppress(BaseException): f()",
}


@pytest.mark.parametrize("text", CAUGHT.values(), ids=CAUGHT)
def test_a_planted_catch_is_found(text: str) -> None:
    assert any(catches_everything(node) for node in ast.walk(ast.parse(text)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("return 1", True),
        ("if x:\n  return", True),
        ("while y:\n  break", False),
        ("for y in z:\n  if y: continue", False),
        ("try: f()\nexcept OSError: return", True),
    ],
)
def test_a_planted_finally_is_found(text: str, found: bool) -> None:
    outer = "def f():\n while x:\n  try: g()\n  finally:\n" + "".join(f"   {line}\n" for line in text.split("\n"))
    (first, *_) = [node for node in ast.walk(ast.parse(outer)) if isinstance(node, ast.Try)]
    assert leaves(first.finalbody) == found
