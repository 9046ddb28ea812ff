"""A deployment without a command line: fastwsgi.serve() is given the application and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.gunicorn.hooks import Hooks
from fastwsgi.mistakes import current_directory
from fastwsgi.settings import keywords

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.mistakes import Mistake
    from fastwsgi.settings.settings import Settings


class FixedDeployment:
    """An interfaces.Deployment whose application and settings never change, not even by a reload."""

    def __init__(self, app: WSGIApplication, settings: Settings) -> None:
        self.directory = current_directory()
        self.hooks = Hooks()
        self.name = "the application"
        self._app = app
        self._settings = settings

    def settings(self) -> Settings:
        return self._settings

    def application(self, settings: Settings) -> str:
        return ""

    def told(self, mistake: Mistake) -> Mistake:
        return keywords.told(mistake)

    def load(self, settings: Settings) -> WSGIApplication:
        return self._app
