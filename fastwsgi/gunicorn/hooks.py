"""The user's functions that are called as the server and its workers come and go: gunicorn's server hooks.

A hook that raises is logged with its traceback, without other consequences, except for `post_fork` and
`post_worker_init`: they prepare what a worker needs, so the worker ends, as gunicorn's does.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.gunicorn.request_hooks import RequestHooks
from fastwsgi.leaving import Contained

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.process.hook_views import ServerView, WorkerView

Hook = Callable[..., Any]
"""A function of the user's, which may take fewer arguments than it is given."""


class Hooks:
    """The hooks, with the time and arguments of their calls. Here, for a server without hooks, they do nothing."""

    def on_starting(self, server: ServerView) -> None:
        """Called before anything else, in the supervisor."""

    def when_ready(self, server: ServerView) -> None:
        """Called when the supervisor listens."""

    def on_reload(self, server: ServerView) -> None:
        """Called in the supervisor when a reload begins."""

    def on_exit(self, server: ServerView) -> None:
        """Called last in the supervisor."""

    def pre_exec(self, server: ServerView) -> None:
        """Called before a new binary is started."""

    def nworkers_changed(self, server: ServerView, new: int, old: int | None) -> None:
        """Called when the number of workers is to change."""

    def pre_fork(self, server: ServerView, worker: WorkerView) -> None:
        """Called in the supervisor before a worker is forked."""

    def post_fork(self, server: ServerView, worker: WorkerView) -> None:
        """Called first in the worker, which ends if this raises."""

    def post_worker_init(self, worker: WorkerView) -> None:
        """Called in the worker once it has loaded the application; the worker ends if this raises."""

    def worker_int(self, worker: WorkerView) -> None:
        """Called in the worker on SIGINT and SIGQUIT."""

    def worker_abort(self, worker: WorkerView) -> None:
        """Called for a worker that is ended because a request is past its time-out."""

    def worker_exit(self, server: ServerView, worker: WorkerView) -> None:
        """Called last in the worker."""

    def child_exit(self, server: ServerView, worker: WorkerView) -> None:
        """Called in the supervisor after a worker's end."""

    def wrap(self, app: WSGIApplication, worker: WorkerView) -> WSGIApplication:
        """The application with the hooks before and after each request."""
        return app


NAMES = [name for name in vars(Hooks) if not name.startswith("_") and name != "wrap"] + ["pre_request", "post_request"]
"""All hooks; the application that wrap() gives calls the last two."""


class GunicornHooks(Hooks):
    """The functions of a gunicorn.conf.py.

    Args:
        functions: by gunicorn's names.
        origin: the file, for the log.
    """

    def __init__(self, functions: Mapping[str, Hook], origin: str) -> None:
        self.functions = functions
        self.origin = origin

    def on_starting(self, server: ServerView) -> None:
        self._call("on_starting", server)

    def when_ready(self, server: ServerView) -> None:
        self._call("when_ready", server)

    def on_reload(self, server: ServerView) -> None:
        self._call("on_reload", server)

    def on_exit(self, server: ServerView) -> None:
        self._call("on_exit", server)

    def pre_exec(self, server: ServerView) -> None:
        self._call("pre_exec", server)

    def nworkers_changed(self, server: ServerView, new: int, old: int | None) -> None:
        self._call("nworkers_changed", server, new, old)

    def pre_fork(self, server: ServerView, worker: WorkerView) -> None:
        self._call("pre_fork", server, worker)

    def post_fork(self, server: ServerView, worker: WorkerView) -> None:
        self._call("post_fork", server, worker, fatal=True)

    def post_worker_init(self, worker: WorkerView) -> None:
        self._call("post_worker_init", worker, fatal=True)

    def worker_int(self, worker: WorkerView) -> None:
        self._call("worker_int", worker)

    def worker_abort(self, worker: WorkerView) -> None:
        self._call("worker_abort", worker)

    def worker_exit(self, server: ServerView, worker: WorkerView) -> None:
        self._call("worker_exit", server, worker)

    def child_exit(self, server: ServerView, worker: WorkerView) -> None:
        self._call("child_exit", server, worker)

    def wrap(self, app: WSGIApplication, worker: WorkerView) -> WSGIApplication:
        if not {"pre_request", "post_request"} & set(self.functions):
            return app
        return RequestHooks(app, worker, self._call, self.functions)

    def _call(self, name: str, view: ServerView | WorkerView, *more: object, fatal: bool = False) -> None:
        """Call a hook if there is one, with as many arguments as it takes; if *fatal*, let its exceptions through."""
        function = self.functions.get(name)
        if function is None:
            return
        arguments = (view, *more)
        try:
            with Contained():
                function(*arguments[: arity(function, len(arguments))])
        except Exception:
            view.log.exception("%s: %s failed", self.origin, name)
            if fatal:
                raise


def arity(function: Hook, most: int) -> int:
    """The number of positional arguments to give to a function that may omit the last ones; at most *most*."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return most
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return most
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return min(most, sum(parameter.kind in positional for parameter in parameters))
