"""What is served, as the supervisor asks for it: at the start, and anew at each reload."""

from __future__ import annotations

import os
from typing import Any, Callable, Protocol

from fastwsgi.gunicorn.hooks import NoHooks


class Deployment(Protocol):
    """Where settings and the application come from."""

    @property
    def directory(self) -> str:
        """Where the command was given, and is given again for an upgrade."""

    @property
    def hooks(self) -> Any:
        """Functions of the user's that are called as workers come and go; NoHooks if there are none."""

    def settings(self) -> Any:
        """The config.settings.Settings of now. Raises Mistake."""

    def load(self, settings: Any) -> Callable[..., Any]:
        """The WSGI application. Raises Mistake, whose details are the traceback if the user's code failed."""


class FixedDeployment:
    """An application and settings that are here already, and stay as they are."""

    def __init__(self, app: Callable[..., Any], settings: Any) -> None:
        self.directory = os.getcwd()
        self.hooks: Any = NoHooks()
        self._app = app
        self._settings = settings

    def settings(self) -> Any:
        return self._settings

    def load(self, settings: Any) -> Callable[..., Any]:
        return self._app
