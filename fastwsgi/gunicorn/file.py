"""gunicorn.conf.py: a configuration file that is a Python program.

It runs in a module of its own; what it leaves there under the name of one of gunicorn's settings is that setting.
Ours are taken over, the functions among them become hooks, and what is left out is told in one line. Other names are
the file's own affair.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from fastwsgi.gunicorn.hooks import GunicornHooks, NoHooks
from fastwsgi.gunicorn.table import HOOKS, LEFT, NEEDED, TAKEN
from fastwsgi.mistakes import Mistake, UsageError, summary, user_traceback

MODULE = "__config__"


@dataclass
class Said:
    """What such a file says, by our names; `keys` are gunicorn's."""

    values: dict[str, object] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    hooks: Any = field(default_factory=NoHooks)


def read(name: str, path: str, directory: str) -> Said:
    """Run a file, or import python:MODULE, and map what it says. Raises Mistake.

    Args:
        name: as given, for the lines.
        path: of the file; empty for a module.
        directory: imports of the file's are looked for here first.
    """
    return mapped(name, _imported(name, directory) if name.startswith("python:") else _run(name, path, directory))


def mapped(name: str, found: dict[str, Any]) -> Said:
    """Map gunicorn's settings among the names that a file left. Raises UsageError for what cannot be done without."""
    said = Said()
    left = []
    for key, value in found.items():
        if key in TAKEN and value not in TAKEN[key].empties:
            taken = TAKEN[key]
            if taken.ours in said.keys:
                raise UsageError(f"{name}: {said.keys[taken.ours]} and {key} are one setting here; leave one out")
            said.values[taken.ours], said.keys[taken.ours] = taken.convert(value), key
        elif key in LEFT and not LEFT[key].is_harmless(value):
            if LEFT[key].weight == NEEDED:
                raise UsageError(f"{name}: {key}: {LEFT[key].instead}")
            left.append(f"{key} ({LEFT[key].instead})")
    if left:
        said.notices.append(f"{name}: without effect here: {', '.join(left)}")
    functions = {key: found[key] for key in HOOKS if callable(found.get(key))}
    said.hooks = GunicornHooks(functions, name) if functions else NoHooks()
    return said


def _run(name: str, path: str, directory: str) -> dict[str, Any]:
    """Run a file and return the names it leaves. No bytecode is written."""
    module = ModuleType(MODULE)
    module.__file__ = path
    sys.modules[MODULE] = module
    with _importing_from(directory), _telling(name):
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
        exec(code, module.__dict__)
    return vars(module)


def _imported(name: str, directory: str) -> dict[str, Any]:
    """Import a module anew, as a reload wants it, and return its names."""
    module = name[len("python:") :]
    sys.modules.pop(module, None)
    with _importing_from(directory), _telling(name):
        importlib.invalidate_caches()
        return vars(importlib.import_module(module))


@contextlib.contextmanager
def _importing_from(directory: str) -> Iterator[None]:
    """Find modules of the project's; without bytecode, which hides a change made in the same second (PEP 552)."""
    path = os.path.abspath(directory)
    before = sys.dont_write_bytecode
    sys.path.insert(0, path)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
        if path in sys.path:
            sys.path.remove(path)


@contextlib.contextmanager
def _telling(name: str) -> Iterator[None]:
    """Turn what the file raises into one line after the file's own traceback."""
    try:
        yield
    except ModuleNotFoundError as error:
        if name == f"python:{error.name}":
            raise UsageError(f"{name}: there is no such module") from None
        advice = f"; is it installed for {sys.executable}?"
        if (error.name or "").split(".")[0] == "gunicorn":
            advice = "; install it, too, or take that import out"
        raise Mistake(f"{name} failed: {summary(error)}{advice}", user_traceback(error)) from None
    except OSError as error:
        if error.filename is not None and user_traceback(error) == "":
            raise UsageError(f"{name}: {error.strerror}") from None
        raise Mistake(f"{name} failed: {summary(error)}", user_traceback(error)) from None
    except (Exception, SystemExit) as error:
        raise Mistake(f"{name} failed: {summary(error)}", user_traceback(error)) from None
