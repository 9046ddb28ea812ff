"""The application as hooks see it: gunicorn's `server.app` and `worker.app`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.gunicorn.cfg import Cfg


class AppView:
    """An application that is loaded when it is first asked for.

    Attributes:
        cfg: the settings.
        callable: the application once it is loaded, else None.

    Args:
        load: loads it.
        callable: the application, if it is loaded already.
    """

    def __init__(self, load: Callable[[], WSGIApplication], cfg: Cfg, callable: WSGIApplication | None = None) -> None:
        self.load = load
        self.cfg = cfg
        self.callable = callable

    @property
    def app_uri(self) -> str:
        """What is served, as it was named."""
        return self.cfg.wsgi_app

    def wsgi(self) -> WSGIApplication:
        """The application, which is loaded now if it was not yet. Raises Mistake."""
        if self.callable is None:
            self.callable = self.load()
        return self.callable
