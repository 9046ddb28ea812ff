"""The Django project of tests/whole/library: copies of it, and what serves them."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.helpers.processes import ADDRESS, ROOT, Process, python_path
from tests.helpers.serving import PATIENCE

SOURCE = ROOT / "tests/whole/library"
PASSWORD = "secret"


DATABASE = """
import django
from django.core.management import call_command

django.setup()
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User

User.objects.create_superuser("admin", "admin@example.com", "%s")
"""


class Library:
    """A copy of the project in *folder*; unless it is not wanted, with a database and the administrator "admin"."""

    def __init__(self, folder: Path, database: bool = True) -> None:
        self.folder = folder
        shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
        if database:
            done = self._run("-c", DATABASE % PASSWORD, DJANGO_SETTINGS_MODULE="library.settings")
            assert done.returncode == 0, done.stderr

    def _run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": python_path(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **variables}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder, env=environment, timeout=PATIENCE, check=False, capture_output=True, text=True,
        )  # fmt: skip

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run manage.py to its end."""
        return self._run("manage.py", *arguments, **variables)

    def manage(self, *arguments: str, **variables: str) -> str:
        """Run manage.py, which must end well; what it prints."""
        done = self.run(*arguments, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace *old* in a file, in one step, as editors do."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file, in one step."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.replace(beside, path)

    @contextmanager
    def serving(self, *arguments: str, by: str = "manage.py", backend: str = "py", **variables: str) -> Iterator[Site]:
        """The project served, by `manage.py fastwsgi` or by `fastwsgi`, on a free port."""
        given = ["-c", f"import os; os.chdir({str(self.folder)!r})\n{BY[by]}", *arguments]
        process = Process(given, backend, PYTHONDONTWRITEBYTECODE="1", **variables)
        try:
            yield Site(process)
        finally:
            process.end()


BY = {
    "manage.py": "os.execv(sys.executable, [sys.executable, 'manage.py', 'fastwsgi', '127.0.0.1:0', *sys.argv[1:]])",
    "fastwsgi": "os.execv(sys.executable, [sys.executable, '-m', 'fastwsgi', '-b', '127.0.0.1:0', *sys.argv[1:]])",
}
BY = {name: f"import sys; {program}" for name, program in BY.items()}


class Site:
    """A process that serves the project.

    Attributes:
        url: without a path.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        found = process.line(f"listening on {ADDRESS.pattern}")
        self.url = f"http://{found[1]}:{found[2]}"

    def get(self, path: str = "/", **options: Any) -> requests.Response:
        """An answer, on a connection of its own."""
        return requests.get(f"{self.url}{path}", timeout=PATIENCE, **options)

    def told(self) -> dict[str, int]:
        """The process and the version that answer."""
        answer: dict[str, int] = json.loads(self.get("/process/").content)
        return answer

    def comes(self, text: str, path: str = "/") -> None:
        """Wait until the page at *path* has *text*."""
        until = time.monotonic() + PATIENCE
        while text not in (page := self.get(path).text):
            assert time.monotonic() < until, page


def catalogue(messages: dict[str, str]) -> bytes:
    """A compiled catalogue of translations, as msgfmt makes it (the format is in gettext's manual, "MO Files")."""
    given = {"": "Content-Type: text/plain; charset=UTF-8\n", **messages}
    pairs = [(one.encode(), given[one].encode()) for one in sorted(given)]
    start = 28 + 16 * len(pairs)
    tables, texts = [b"", b""], b""
    for side in (0, 1):
        for pair in pairs:
            tables[side] += struct.pack("<II", len(pair[side]), start + len(texts))
            texts += pair[side] + b"\0"
    return struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0) + b"".join(tables) + texts
