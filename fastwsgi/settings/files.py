"""The configuration file: which one it is, and what a TOML file says.

`-c PATH` names it: TOML by the ending .toml, and else a file of Python as gunicorn has it. Without `-c` it is
`fastwsgi.toml` or the table `[tool.fastwsgi]` of `pyproject.toml`, in the directory that is served from. A file of
Python is never run unless it was named.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastwsgi.gunicorn import file as gunicorn_file
from fastwsgi.gunicorn.hooks import NoHooks
from fastwsgi.gunicorn.table import TAKEN
from fastwsgi.mistakes import UsageError
from fastwsgi.settings.settings import SETTINGS, unknown

OWN = "fastwsgi.toml"
PROJECT = "pyproject.toml"
GUNICORNS = "gunicorn.conf.py"
OUR_TABLE = re.compile(r"^\s*\[\s*tool\s*\.\s*fastwsgi\s*\]|^\s*fastwsgi\s*=", re.MULTILINE)


@dataclass
class FileValues:
    """What a configuration file says.

    `name` is how lines speak of it, empty if there is none. `values` are raw, by our names ("app" is the
    application's), and `keys` the names they have in the file. `python` tells whether it was gunicorn's kind.
    """

    name: str = ""
    values: dict[str, object] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    hooks: Any = field(default_factory=NoHooks)
    python: bool = False


def read(given: str | None, start: str, directory: str) -> FileValues:
    """Read the configuration file, if there is one. Raises Mistake in one line.

    Args:
        given: what -c says, a path from `start` or python:MODULE.
        start: where the command was given.
        directory: where files are looked for if -c says nothing.
    """
    if given is None:
        return _found(Path(directory))
    if given.startswith("python:"):
        return _gunicorn(given, "", directory)
    text = given[len("file:") :] if given.startswith("file:") else given
    path = Path(start, text)
    if not path.is_file():
        raise UsageError(f"{given}: there is no such configuration file")
    return _toml(path, text) if path.suffix == ".toml" else _gunicorn(text, str(path), directory)


def _found(directory: Path) -> FileValues:
    for name in (OWN, PROJECT):
        if (directory / name).is_file() and (name == OWN or _has_our_table(directory / name)):
            return _toml(directory / name, name)
    notices = []
    if (directory / GUNICORNS).is_file():
        notices.append(f"{GUNICORNS} is here, but was not asked for; -c {GUNICORNS} reads it")
    return FileValues(notices=notices)


def _has_our_table(path: Path) -> bool:
    """Whether a project's file speaks of us: so that one that does not need not even be right."""
    return OUR_TABLE.search(_text(path, path.name)) is not None


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not in UTF-8") from None


def _gunicorn(name: str, path: str, directory: str) -> FileValues:
    said = gunicorn_file.read(name, path, directory)
    return FileValues(name, said.values, said.keys, said.notices, said.hooks, True)


def _toml(path: Path, name: str) -> FileValues:
    table = _parse(_text(path, name), name)
    if path.name == PROJECT:
        table = table.get("tool", {}).get("fastwsgi", {})
    said = FileValues(name)
    for key, value in table.items():
        ours = key.replace("-", "_")
        if ours != "app" and ours not in SETTINGS:
            meant = TAKEN.get(ours)
            line = f"unknown setting {key!r}; did you mean {meant.ours!r}?" if meant else unknown(key)
            raise UsageError(f"{name}: {line}")
        if ours in said.values:
            raise UsageError(f"{name}: {said.keys[ours]} and {key} are the same setting; leave one out")
        said.values[ours], said.keys[ours] = value, key
    return said


def _parse(text: str, name: str) -> dict[str, Any]:
    """Return what TOML text holds. Raises UsageError, also if this Python cannot read TOML."""
    reader = _reader()
    if reader is None:
        raise UsageError(f"{name}: to read TOML takes Python 3.11, or tomli: pip install tomli")
    try:
        return dict(reader.loads(text))
    except reader.TOMLDecodeError as error:
        raise UsageError(f"{name}: {error}") from None


def _reader() -> Any:
    """Return the module that reads TOML, the standard library's or its twin for older Pythons, or None."""
    for name in ("tomllib", "tomli"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None
