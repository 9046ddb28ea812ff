"""The `cfg` and `log` of gunicorn's server hooks, made of our settings and our logger."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Union

from fastwsgi.gunicorn.translations import TRANSLATIONS
from fastwsgi.server.addresses import Tcp, Unix, parse_address

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

Address = Union[tuple[str, int], str, int]
"""A host and its port, the path of a unix socket, or a file descriptor."""


class Cfg:
    """The settings under gunicorn's names, and under ours."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __getattr__(self, name: str) -> Any:
        """The value of a setting, of any type."""
        if name.startswith("__"):
            raise AttributeError(name)
        if hasattr(self._settings, name):
            return getattr(self._settings, name)
        if name in TRANSLATIONS and hasattr(self._settings, TRANSLATIONS[name].ours):
            return getattr(self._settings, TRANSLATIONS[name].ours)
        if name in ("worker_class_str", "worker_class"):
            return "gthread" if self._settings.threads > 1 else "sync"
        raise AttributeError(f"fastwsgi has no setting {name!r}")

    @property
    def address(self) -> list[Address]:
        """The addresses on which the server listens."""
        return [_address(text) for text in self._settings.bind]

    @property
    def settings(self) -> dict[str, object]:
        """All settings by our names."""
        return dict(vars(self._settings))


def _address(text: str) -> Address:
    address = parse_address(text)
    if isinstance(address, Tcp):
        return address.host, address.port
    return address.path if isinstance(address, Unix) else address.fd


class Log:
    """A logger with the additional attributes of gunicorn's."""

    def __init__(self, logger: logging.Logger) -> None:
        self.error_log = logger
        self.access_log = logging.getLogger("fastwsgi.access")

    def __getattr__(self, name: str) -> Any:
        """An attribute of the logger."""
        if name == "error_log":
            raise AttributeError(name)
        return getattr(self.error_log, name)
