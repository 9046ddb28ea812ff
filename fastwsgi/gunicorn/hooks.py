"""The user's functions that are called as the server and its workers come and go: gunicorn's server hooks.

They get the supervisor's and the worker's views, with `cfg` and `log` as gunicorn's users know them. A hook that
raises is logged with its traceback, and nothing else comes of it, except in `post_fork` and `post_worker_init`: what
a worker needs is prepared there, so it ends, as gunicorn's does.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from typing import Any, Callable

from fastwsgi.gunicorn.request_hooks import RequestHooks
from fastwsgi.gunicorn.table import TAKEN

Application = Callable[..., Any]


class NoHooks:
    """The hooks of one who has none."""

    def on_starting(self, server: Any) -> None:
        """Called before anything else, in the supervisor."""

    def when_ready(self, server: Any) -> None:
        """Called when the supervisor listens."""

    def on_reload(self, server: Any) -> None:
        """Called in the supervisor when a reload begins."""

    def on_exit(self, server: Any) -> None:
        """Called last in the supervisor."""

    def pre_exec(self, server: Any) -> None:
        """Called before a new binary is started."""

    def nworkers_changed(self, server: Any, new: int, old: int | None) -> None:
        """Called when another number of workers is wanted."""

    def pre_fork(self, server: Any, worker: Any) -> None:
        """Called in the supervisor before a worker is forked."""

    def post_fork(self, server: Any, worker: Any) -> None:
        """Called first in the worker."""

    def post_worker_init(self, worker: Any) -> None:
        """Called in the worker once it has loaded the application."""

    def worker_int(self, worker: Any) -> None:
        """Called in the worker on SIGINT and SIGQUIT."""

    def worker_abort(self, worker: Any) -> None:
        """Called in the worker that is ended for its time-out."""

    def worker_exit(self, server: Any, worker: Any) -> None:
        """Called last in the worker."""

    def child_exit(self, server: Any, worker: Any) -> None:
        """Called in the supervisor after a worker's end."""

    def wrap(self, app: Application, worker: Any) -> Application:
        """Return the application with what is to happen before and after each request."""
        return app


class GunicornHooks(NoHooks):
    """The functions of a gunicorn.conf.py.

    Args:
        functions: by gunicorn's names.
        origin: the file, for the log.
    """

    def __init__(self, functions: Mapping[str, Callable[..., Any]], origin: str) -> None:
        self.functions = functions
        self.origin = origin

    def on_starting(self, server: Any) -> None:
        self._call("on_starting", server)

    def when_ready(self, server: Any) -> None:
        self._call("when_ready", server)

    def on_reload(self, server: Any) -> None:
        self._call("on_reload", server)

    def on_exit(self, server: Any) -> None:
        self._call("on_exit", server)

    def pre_exec(self, server: Any) -> None:
        self._call("pre_exec", server)

    def nworkers_changed(self, server: Any, new: int, old: int | None) -> None:
        self._call("nworkers_changed", server, new, old)

    def pre_fork(self, server: Any, worker: Any) -> None:
        self._call("pre_fork", server, worker)

    def post_fork(self, server: Any, worker: Any) -> None:
        """Raises what the function raises, once that is logged: the worker is to end."""
        self._call("post_fork", server, worker, fatal=True)

    def post_worker_init(self, worker: Any) -> None:
        """Raises what the function raises, once that is logged: the worker is to end."""
        self._call("post_worker_init", worker, fatal=True)

    def worker_int(self, worker: Any) -> None:
        self._call("worker_int", worker)

    def worker_abort(self, worker: Any) -> None:
        self._call("worker_abort", worker)

    def worker_exit(self, server: Any, worker: Any) -> None:
        self._call("worker_exit", server, worker)

    def child_exit(self, server: Any, worker: Any) -> None:
        self._call("child_exit", server, worker)

    def wrap(self, app: Application, worker: Any) -> Application:
        if not {"pre_request", "post_request"} & set(self.functions):
            return app
        return RequestHooks(app, dressed(worker), self._call, self.functions)

    def _call(self, name: str, *arguments: Any, fatal: bool = False) -> None:
        """Call a function if there is one, with as many of the arguments as it takes."""
        function = self.functions.get(name)
        if function is None:
            return
        views = [dressed(argument) for argument in arguments]
        try:
            function(*views[: arity(function, len(views))])
        except Exception:
            views[0].log.exception("%s: %s failed", self.origin, name)
            if fatal:
                raise


def arity(function: Callable[..., Any], most: int) -> int:
    """Return how many positional arguments to give to a function that may have left out the last ones."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return most
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return most
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return min(most, sum(parameter.kind in positional for parameter in parameters))


def dressed(view: Any) -> Any:
    """Give the view of a supervisor or worker the `cfg` and `log` that gunicorn's users know; others stay."""
    if hasattr(view, "cfg") and not isinstance(view.cfg, Cfg):
        view.cfg = Cfg(view.cfg)
    if isinstance(getattr(view, "log", None), logging.Logger):
        view.log = Log(view.log)
    return view


class Cfg:
    """The settings under gunicorn's names, and under ours."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if hasattr(self._settings, name):
            return getattr(self._settings, name)
        if name in TAKEN and hasattr(self._settings, TAKEN[name].ours):
            return getattr(self._settings, TAKEN[name].ours)
        if name in ("worker_class_str", "worker_class"):
            return "gthread" if self._settings.threads > 1 else "sync"
        raise AttributeError(f"fastwsgi has no setting {name!r}")

    @property
    def address(self) -> list[Any]:
        """Where it listens: (host, port), or the path of a socket."""
        return [_pair(text) for text in self._settings.bind]

    @property
    def settings(self) -> dict[str, Any]:
        """All settings by our names."""
        return dict(vars(self._settings))


def _pair(address: str) -> Any:
    if address.startswith(("unix:", "fd://")):
        return address.partition(":")[2]
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else port


class Log:
    """A logger with the attributes that gunicorn's has besides a logger's own."""

    def __init__(self, logger: logging.Logger) -> None:
        self.error_log = logger
        self.access_log = logging.getLogger("fastwsgi.access")

    def __getattr__(self, name: str) -> Any:
        if name == "error_log":
            raise AttributeError(name)
        return getattr(self.error_log, name)
