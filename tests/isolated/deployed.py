"""A supervisor with its workers: deployed.py DIRECTORY [SETTING=VALUE ...]

It serves `app` of DIRECTORY/site.py, which each worker reads anew. DIRECTORY/settings.py, if there, holds more
settings; it is read anew at each reload. Both files may change, and may be broken.
"""

from __future__ import annotations

import ast
import ctypes
import os
import ssl
import sys
from pathlib import Path
from typing import Any

from fastwsgi import backend
from fastwsgi.gunicorn.hooks import Hooks
from fastwsgi.mistakes import Mistake, user_traceback
from fastwsgi.notices import Notices
from fastwsgi.process.supervisor import run
from fastwsgi.settings.settings import Settings


class ToldHooks(Hooks):
    """Hooks that print that they are called."""

    def __getattribute__(self, name: str) -> Any:
        if name == "wrap":
            return lambda app, worker: app
        if name == "context_maker":
            return lambda cfg: None
        return lambda view, *more: print("hook", name, type(view).__name__, len(more), flush=True)


def only_new_tls(default: Any) -> Any:
    """A context as a user changes it."""
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


class Directory:
    """The Deployment."""

    def __init__(self, path: Path, given: dict[str, Any]) -> None:
        self.hooks: Any = ToldHooks() if os.environ.get("TELL_HOOKS") else Hooks()
        if os.environ.get("ONLY_NEW_TLS"):
            self.hooks.context_maker = lambda cfg: only_new_tls
        self.directory = os.getcwd()
        self.name = "site"
        self.path = path
        self.given = given

    def settings(self) -> Settings:
        file = self.path / "settings.py"
        try:
            more = ast.literal_eval(file.read_text()) if file.exists() else {}
        except SyntaxError:
            raise Mistake(f"{file} cannot be read") from None
        return Settings(**{"bind": ["127.0.0.1:0"], **self.given, **more})

    def application(self, settings: Settings) -> str:
        return "site:app"

    def told(self, mistake: Mistake) -> Mistake:
        return mistake

    def load(self, settings: Settings) -> Any:
        file = self.path / "site.py"
        names: dict[str, Any] = {"__name__": "site"}
        try:
            exec(compile(file.read_text(), str(file), "exec"), names)
        except Exception as error:
            raise Mistake(f"site cannot be imported: {error}", user_traceback(error)) from None
        return names["app"]


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent ends, as PID 1 is: prctl(PR_SET_CHILD_SUBREAPER)."""
    assert ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0) == 0


def main() -> int:
    if os.environ.get("ADOPT_ORPHANS"):
        adopt_orphans()
    directory, *settings = sys.argv[1:]
    given = {key: ast.literal_eval(value) for key, _, value in (one.partition("=") for one in settings)}
    try:
        return run(Directory(Path(directory), given), backend.current(), Notices())
    except Mistake as mistake:
        print(f"{mistake.details}fastwsgi: {mistake}", flush=True)
        return mistake.exit_code


sys.exit(main())
