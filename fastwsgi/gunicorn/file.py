"""gunicorn.conf.py: a configuration file that is a Python program.

It runs in a module of its own; what it leaves there under the name of one of gunicorn's settings is that setting. The
settings that we have are translated, functions become hooks, and one line lists those that have no effect. Other names
are the file's own business, unless they are nearly those of settings.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType

from fastwsgi.gunicorn.green_threads import refuse_green_threads
from fastwsgi.gunicorn.hooks import HOOKS, GunicornHooks, Hooks, found_hooks
from fastwsgi.gunicorn.near_names import near_names
from fastwsgi.gunicorn.translations import TRANSLATIONS
from fastwsgi.gunicorn.unsupported import REFUSED, UNSUPPORTED
from fastwsgi.leaving import Contained
from fastwsgi.mistakes import Mistake, UsageError, summary, user_traceback
from fastwsgi.originals import os
from fastwsgi.records import field, record

MODULE = "__config__"


@record
class FileValues:
    """The contents of a configuration file of either kind: this one, or TOML.

    Attributes:
        name: the file's name in messages; empty if there is no file.
        values: still to be read, by our names ("app" is the application's).
        keys: the names of these in the file.
        notices: lines for the user.
        hooks: the user's functions.
        python: whether it is a file of gunicorn's kind.
        others: the names in such a file that gunicorn does not know.
    """

    name: str = ""
    values: dict[str, object] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    hooks: Hooks = field(default_factory=Hooks)
    python: bool = False
    others: list[str] = field(default_factory=list)


def read(name: str, path: str, directory: str) -> FileValues:
    """Run a file, or import python:MODULE, and translate its settings. Raises Mistake.

    Args:
        name: as given, for messages.
        path: the file's; empty for a module.
        directory: where the file's imports are looked for first.
    """
    is_module = name.startswith("python:")
    try:
        return translate(name, _import(name, directory) if is_module else _run(name, path, directory))
    finally:
        refuse_green_threads()


def translate(name: str, found: Mapping[str, object]) -> FileValues:
    """Translate gunicorn's settings among the names that a file defined.

    Raises:
        UsageError: one is set that cannot be ignored, or two mean the same setting.
    """
    file = FileValues(name, python=True)
    ineffective = []
    for key, value in found.items():
        if key in TRANSLATIONS and value not in TRANSLATIONS[key].unset:
            _translate_one(file, key, value)
        elif key in UNSUPPORTED and not UNSUPPORTED[key].is_harmless(value):
            if UNSUPPORTED[key].treatment == REFUSED:
                raise UsageError(f"{name}: {key}: {UNSUPPORTED[key].instead}")
            ineffective.append(f"{key} ({UNSUPPORTED[key].instead})")
        elif not {key} & (TRANSLATIONS.keys() | UNSUPPORTED.keys() | HOOKS.keys()):
            file.others.append(key)
    if ineffective:
        file.notices.append(f"{name}: without effect here: {', '.join(ineffective)}")
    if near := near_names(found):
        file.notices.append(f"{name}: no such setting: {', '.join(near)}")
    functions = found_hooks(found, name)
    if functions:
        file.hooks = GunicornHooks(functions, name)
    return file


def _translate_one(file: FileValues, key: str, value: object) -> None:
    setting = TRANSLATIONS[key]
    if setting.ours in file.keys:
        raise UsageError(f"{file.name}: {file.keys[setting.ours]} and {key} are one setting here; leave one out")
    try:
        file.values[setting.ours], file.keys[setting.ours] = setting.convert(value), key
    except ValueError as error:
        raise UsageError(f"{file.name}: {key} {value!r} {error}") from None


def _run(name: str, path: str, directory: str) -> dict[str, object]:
    """Run a file; the names it defines. No bytecode is written."""
    module = ModuleType(MODULE)
    module.__file__ = path
    module.__loader__ = SourceFileLoader(MODULE, path)  # traceback asks it for the lines, and 3.15 warns without a spec
    module.__spec__ = ModuleSpec(MODULE, module.__loader__, origin=path)
    sys.modules[MODULE] = module
    with _importing_from(directory), _failures_as_mistakes(name):
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
        with Contained():
            exec(code, module.__dict__)
    return vars(module)


def _import(name: str, directory: str) -> dict[str, object]:
    """Import a module anew, as a reload needs it; its names."""
    module = name[len("python:") :]
    sys.modules.pop(module, None)
    with _importing_from(directory), _failures_as_mistakes(name):
        importlib.invalidate_caches()
        with Contained():
            return vars(importlib.import_module(module))


@contextlib.contextmanager
def _importing_from(directory: str) -> Iterator[None]:
    """Find the project's modules, without bytecode, which hides a change made in the same second (PEP 552)."""
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
def _failures_as_mistakes(name: str) -> Iterator[None]:
    """Turn an exception in the file into one line after the file's own traceback."""
    try:
        yield
    except ModuleNotFoundError as error:
        if name == f"python:{error.name}":
            raise UsageError(f"{name}: there is no such module") from None
        advice = f"; is it installed for {sys.executable}?"
        if (error.name or "").split(".")[0] == "gunicorn":
            advice = "; install it, too, or take that import out"
        raise _failure(name, error, advice) from None
    except OSError as error:
        if error.filename is not None and user_traceback(error) == "":
            raise UsageError(f"{name}: {error.strerror}") from None
        raise _failure(name, error) from None
    except (Exception, SystemExit) as error:
        raise _failure(name, error) from None


def _failure(name: str, error: BaseException, advice: str = "") -> Mistake:
    return UsageError(f"{name} failed: {summary(error)}{advice}", user_traceback(error))
