"""The file of `fastwsgi --paste production.ini`: PasteDeploy makes the application of it, in each worker anew.

The section [server:main] counts, too, if its server is this one: then the same file serves pserve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastwsgi.application import loader
from fastwsgi.contrib.paste_settings import read
from fastwsgi.mistakes import Mistake, UsageError
from fastwsgi.originals import os

if TYPE_CHECKING:
    from configparser import RawConfigParser

    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.settings.given import Layer
    from fastwsgi.settings.settings import Settings

OURS = ("egg:fastwsgi-server", "egg:fastwsgi-server#main")


class PasteFile:
    """A file, or one section of it.

    Args:
        text: its path, and perhaps "#" and a section.

    Raises:
        UsageError: there is no such file.
    """

    def __init__(self, text: str) -> None:
        file, _, self._section = text.partition("#")
        if not os.path.isfile(file):
            raise UsageError(f"--paste {file}: there is no such file")
        self._path = os.path.abspath(file)

    def load(self, name: str, settings: Settings) -> WSGIApplication:
        """The application *name* of the file, whose logging is set up. Raises Mistake."""
        return loader.load_by(lambda: self._made(name, settings), name, settings)

    def _made(self, name: str, settings: Settings) -> object:
        if not settings.log_config and parsed(self._path).has_section("loggers"):
            set_up_logging(self._path)
        try:
            return paste_deploy().loadapp(f"config:{self._path}", self._section or None)
        except LookupError as error:
            if type(error) is not LookupError:  # a KeyError, say, of the user's code
                raise
            raise Mistake(f"{name}: {' '.join(str(error).split())}") from None

    def defaults(self) -> Layer:
        """The settings in [server:main], if its server is this one. Raises Mistake."""
        if parsed(self._path).get("server:main", "use", fallback="").strip() not in OURS:
            return {}
        deploy = paste_deploy()
        return read(deploy.loadcontext(deploy.SERVER, f"config:{self._path}", "main").local_conf, self._path)


def paste_deploy() -> Any:
    """The module of PasteDeploy that loads. Raises Mistake if it is not installed."""
    try:
        from paste.deploy import loadwsgi  # type: ignore[import-untyped]
    except ImportError:
        raise Mistake("--paste takes PasteDeploy: pip install PasteDeploy") from None
    return loadwsgi


def parsed(path: str) -> RawConfigParser:
    """The INI file, for a look at its sections. Raises UsageError."""
    from configparser import Error, RawConfigParser

    parser = RawConfigParser(strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (Error, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"--paste {path}: {' '.join(str(error).split())}") from None
    return parser


def set_up_logging(path: str) -> None:
    """Set up `logging` by the INI file, as pserve does."""
    from logging.config import fileConfig

    fileConfig(path, {"__file__": path, "here": os.path.dirname(path)}, disable_existing_loggers=False)
