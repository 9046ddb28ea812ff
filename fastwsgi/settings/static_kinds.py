"""The kinds of the settings for static files."""

from __future__ import annotations

import re

from fastwsgi.settings import kinds
from fastwsgi.settings.kind import Kind, Unfit
from fastwsgi.static.names import Immutable, read_mount


def mounts() -> Kind[list[str]]:
    """ROUTE=DIR, each route once; a list, one, or a table."""

    def read(value: object) -> list[str]:
        if isinstance(value, dict):
            value = [f"{route}={folder}" for route, folder in value.items()]
        given = several.read(value)
        routes = [read_mount(text).route for text in given]
        for route in routes:
            if routes.count(route) > 1:
                raise Unfit(f"{route.rstrip('/') or '/'} is given twice: leave one out")
        return given

    several = kinds.texts("ROUTE=DIR")
    return Kind(read, "ROUTE=DIR", repeatable=True, show=" ".join, parse=several.parse, completes="directory")


def immutable() -> Kind[str]:
    """A regular expression for names that never change; empty for none."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("a regular expression")
        Immutable(value)
        return value

    return Kind(read, "REGEX")


def file_name() -> Kind[str]:
    """The name of a file without a path, or empty."""

    def read(value: object) -> str:
        if not isinstance(value, str) or (value and not re.fullmatch(r"[!-.0-~][ -.0-~]*", value)) or value[:1] == ".":
            raise ValueError("the name of a file, such as index.html")
        return value

    return Kind(read, "NAME")
