"""The configuration file: the search for it, and the reading of TOML.

`-c PATH` names it: TOML if it ends in .toml, else a file of Python like gunicorn's. Without `-c` it is `fastwsgi.toml`
or the table `[tool.fastwsgi]` of `pyproject.toml`, in the directory that is served from. A file of Python is never run
unless it was named.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

from fastwsgi.gunicorn import file as gunicorn_file
from fastwsgi.gunicorn.file import FileValues
from fastwsgi.gunicorn.translations import TRANSLATIONS
from fastwsgi.mistakes import Finding, UsageError
from fastwsgi.originals import os
from fastwsgi.settings import habits
from fastwsgi.settings.keys import KEYS, by_key
from fastwsgi.settings.settings import unknown

OWN = "fastwsgi.toml"
PROJECT = "pyproject.toml"
GUNICORNS = "gunicorn.conf.py"
OUR_TABLE = re.compile(r"^\s*\[\s*tool\s*\.\s*fastwsgi\s*\]|^\s*fastwsgi\s*=", re.MULTILINE)


def read(given: str | None, start: str, directory: str, finding: Finding) -> FileValues:
    """Read the configuration file, if there is one. Raises Mistake.

    Args:
        given: the value of -c, a path from *start* or python:MODULE.
        start: where the command was given.
        directory: where files are looked for without -c.
        finding: told the mistakes in settings of TOML.
    """
    if given is None:
        return _read_found(Path(directory), finding)
    if given.startswith("python:"):
        return gunicorn_file.read(given, "", directory)
    text = given[len("file:") :] if given.startswith("file:") else given
    path = Path(start, text)
    if not os.path.isfile(path):  # Path.is_file() raises for a name that is too long
        problem = "is a directory, and no" if os.path.isdir(path) else "there is no such"
        raise UsageError(f"{given}: {problem} configuration file")
    return _read_toml(path, text, finding) if path.suffix == ".toml" else gunicorn_file.read(text, str(path), directory)


def _read_found(directory: Path, finding: Finding) -> FileValues:
    """Read the first file in *directory* that is ours without being named."""
    for name in (OWN, PROJECT):
        if (directory / name).is_file() and (name == OWN or _has_our_table(directory / name)):
            return _read_toml(directory / name, name, finding)
    notices = []
    if (directory / GUNICORNS).is_file():
        notices.append(f"{GUNICORNS} is here, but was not asked for; -c {GUNICORNS} reads it")
    return FileValues(notices=notices)


def unread_application(directory: str) -> str:
    """What names the application in a gunicorn.conf.py that is there and was not asked for; "" if nothing does."""
    path = Path(directory, GUNICORNS)
    names_it = path.is_file() and re.search(r"^wsgi_app\s*=", _text(path, GUNICORNS), re.MULTILINE)
    return f"-c {GUNICORNS}, where wsgi_app names it, or MODULE:ATTR" if names_it else ""


def _has_our_table(path: Path) -> bool:
    """Whether a project's file mentions us; if it does not, it need not even be valid TOML."""
    return OUR_TABLE.search(_text(path, path.name)) is not None


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not in UTF-8") from None


def _read_toml(path: Path, name: str, finding: Finding) -> FileValues:
    table = _parse(_text(path, name), name)
    for key in ("tool", "fastwsgi") if path.name == PROJECT else ():
        inner = table.get(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{name}: {key} = {inner!r} is no table; write the settings below [tool.fastwsgi]")
        table = inner
    file = FileValues(name)
    try:
        habits.refuse_keys(table)
    except UsageError as error:
        finding.add(UsageError(f"{name}: {error}"))
    for key, value in table.items():
        if not habits.is_strange(key):
            with finding:
                take(file, key, value)
    return file


def take(file: FileValues, key: str, value: object) -> None:
    """Take the setting *key*, and its *value*, into what is known of *file*. Raises UsageError."""
    bare = key.replace("-", "_")
    if bare != "app" and bare not in KEYS:
        meant = "threads" if bare == "worker_class" else TRANSLATIONS[bare].ours if bare in TRANSLATIONS else ""
        line = f"unknown setting {key!r}; did you mean {meant!r}?" if meant else unknown(key)
        raise UsageError(f"{file.name}: {line}")
    ours, value = (bare, value) if bare == "app" else by_key(bare, value)
    if ours in file.values:
        raise UsageError(f"{file.name}: {file.keys[ours]} and {key} are the same setting; leave one out")
    file.values[ours], file.keys[ours] = value, key


def _parse(text: str, name: str) -> dict[str, object]:
    """The contents of TOML text. Raises UsageError, even if only this Python cannot read TOML."""
    reader = _reader()
    if reader is None:
        raise UsageError(f"{name}: to read TOML takes Python 3.11, or tomli: pip install tomli")
    try:
        return dict(reader.loads(text))
    except reader.TOMLDecodeError as error:
        raise UsageError(f"{name}: {error}") from None


def _reader() -> ModuleType | None:
    """The module that reads TOML, the standard library's or its twin for older Pythons, if there is one."""
    for name in ("tomllib", "tomli"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None
