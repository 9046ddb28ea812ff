"""What the loops of a process share through modules: every global that changes is known, with the reason why it may."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "fastwsgi"
CONTAINERS = (ast.Dict, ast.DictComp, ast.List, ast.ListComp, ast.Set, ast.SetComp)
MAKERS = {"dict", "list", "set", "deque", "Counter", "defaultdict", "OrderedDict", "WeakSet", "WeakValueDictionary"}
CHANGING = {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"}
CACHES = {"cache", "lru_cache"}

START = "changes at the start and the end of a process"
FORKS = "under a lock, or a child of a fork, which has one thread"
COLD = "nothing that a request does; a result that two threads find at once is the same"
KNOWN = {
    "backend.build": COLD,
    "forks._handled": "the main thread alone changes it, and only it handles signals",
    "forks._lock": FORKS,
    "forks._masks": FORKS,
    "forks._owners": FORKS,
    "forks._spared": FORKS,
    "observe.files.handed": "the thread that reopens logs, of which a process has one",
    "observe.order._waiting": START,
    "process.exit_functions._noted": "the supervisor's",
    "process.taken_over._first": "the process that loads the application, meanwhile",
    "process.taken_over._takers": "the process that loads the application, meanwhile",
    "simple_loops._settings": COLD,
    "status.families._info": "the status process's",
    "status.families._of": "the status process's, or under the lock of fastwsgi.metrics",
    "status.here._readers": START,
    "temporary._first_choice": COLD,
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(path.relative_to(PACKAGE).with_suffix("").parts), ast.parse(path.read_text())


def name_of(node: ast.AST) -> str:
    """The last name of what is called or decorates: lru_cache of @functools.lru_cache(1024)."""
    if isinstance(node, ast.Call):
        return name_of(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def containers(tree: ast.Module) -> Iterator[str]:
    """The globals that are lists, dicts, sets and the like."""
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and (isinstance(value, CONTAINERS) or name_of(value or tree) in MAKERS):
            yield target.id


def changed(tree: ast.Module) -> Iterator[str]:
    """The names of what some function changes in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
            yield name_of(node.func.value)
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield name_of(node.value)


def caches(tree: ast.Module) -> Iterator[str]:
    """The functions of the module that remember results, and the globals that some function sets."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any(name_of(one) in CACHES for one in node.decorator_list):
            yield node.name
        elif isinstance(node, ast.Assign) and any(name_of(one) in CACHES for one in ast.walk(node.value)):
            yield name_of(node.targets[0])
    for inner in ast.walk(tree):
        if isinstance(inner, ast.Global):
            yield from inner.names


def test_each_global_that_changes_is_known() -> None:
    known = dict(trees())
    all_changed = {name for tree in known.values() for name in changed(tree)}
    found = {f"{module}.{name}" for module, tree in known.items() for name in caches(tree)}
    found |= {f"{module}.{name}" for module, tree in known.items() for name in containers(tree) if name in all_changed}
    assert found == KNOWN.keys()


def test_compiled_modules_have_none() -> None:
    """Their C globals are constants, set while the module is imported: numbers, texts, tables of bytes."""
    for path in [*PACKAGE.rglob("*.pyx"), *PACKAGE.rglob("*.pxd")]:
        for line in path.read_text().splitlines():
            assert not line.strip().startswith("global "), path
            assert not line.startswith(("cdef dict ", "cdef list ", "cdef set ")), f"{path}: {line}"
