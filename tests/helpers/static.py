"""Folders of files for the tests of --static, and a server of them in memory."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

from fastwsgi.static.beneath import opener
from fastwsgi.static.names import HASHED, Immutable, read_mount
from fastwsgi.static.site import Folder, StaticFiles
from tests.helpers.memory import Bench
from tests.helpers.responses import Response
from tests.helpers.serving import request


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answers what no file does."""
    start_response("200 OK", [("X-From", "application")])
    return [b"application"]


def opener_of(build: SimpleNamespace) -> Callable[[int, bytes], int]:
    """What opens files below a folder in a build."""
    return opener(build.openat2 and build.openat2.open_beneath)


def write(folder: Path, **files: bytes) -> None:
    """Write *files*, by names in which "__" stands for a dot and "_in_" for a slash."""
    for name, content in files.items():
        path = folder / name.replace("_in_", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def date(path: Path, seconds: float) -> None:
    """Set the time of *path*'s modification."""
    os.utime(path, (seconds, seconds))


class StaticBench:
    """A bench with the files of *mounts* (ROUTE=DIR)."""

    def __init__(self, build: SimpleNamespace, *mounts: str, index: str = "", **settings: Any) -> None:
        self.bench = Bench(build, app, **settings)
        self.errors: list[str] = []
        self.files = StaticFiles(
            [Folder(read_mount(text), opener_of(build)) for text in mounts],
            Immutable(HASHED),
            60,
            index,
            lambda message, error: self.errors.append(message),
        )
        self.bench.service.routes = build.routes.Routes({}, self.files)

    def ask(self, target: str, method: str = "GET", version: str = "1.1", **fields: str) -> Response:
        """The answer for *target*; names of fields have "_" for "-"."""
        given = [(name.replace("_", "-"), value) for name, value in fields.items()]
        (found,) = self.bench.connect(request(method, target, given, b"", version)).responses([method])
        assert found.whole
        return found

    def renew(self) -> None:
        """Let the second pass for which what was found is believed."""
        self.bench.pass_clock(1.0)
        self.bench.loop.renew_time(self.bench.service)


def is_app(found: Response) -> bool:
    """Whether the application has answered."""
    return found.field("X-From") is not None
