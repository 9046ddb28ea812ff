"""The user's functions that are called as the server and its workers come and go: gunicorn's server hooks.

HOOKS lists them in the order of a life, with their arguments. A hook that fails is logged with its traceback, once.
What it was to prepare does not happen then, as under gunicorn: a start of the service (on_starting, when_ready, and
until the first worker serves, nworkers_changed and pre_fork), a worker (post_fork, post_worker_init), a request
(pre_request, which gives a 500). All others have no consequences, even if they exit. A hook that exits ends
a start with its code.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.gunicorn.request_hooks import RequestHooks
from fastwsgi.leaving import Contained
from fastwsgi.mistakes import Mistake, UsageError, summary, user_traceback

if TYPE_CHECKING:
    from ssl import SSLContext

    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.gunicorn.cfg import Cfg
    from fastwsgi.process.hook_views import ServerView, WorkerView
    from fastwsgi.tls.contexts import ContextMaker

Hook = Callable[..., Any]
"""A function of the user's."""

HOOKS = {
    "nworkers_changed": ("server", "new_value", "old_value"),
    "on_starting": ("server",),
    "when_ready": ("server",),
    "pre_fork": ("server", "worker"),
    "post_fork": ("server", "worker"),
    "post_worker_init": ("worker",),
    "ssl_context": ("config", "default_ssl_context_factory"),
    "pre_request": ("worker", "req"),
    "post_request": ("worker", "req", "environ", "resp"),
    "worker_int": ("worker",),
    "worker_abort": ("worker",),
    "worker_exit": ("server", "worker"),
    "child_exit": ("server", "worker"),
    "on_reload": ("server",),
    "pre_exec": ("server",),
    "on_exit": ("server",),
}
"""All hooks and the arguments that they are called with."""
MAY_TAKE_FEWER = {"post_request": 2}
"""The hooks that may leave out their last arguments, as in gunicorn, and how many they take at least."""


class Hooks:
    """The hooks, with the time and arguments of their calls. Here, for a server without hooks, they do nothing."""

    def nworkers_changed(self, server: ServerView, new: int, old: int | None) -> None:
        """Called when the number of workers is another: at the start, where *old* is None, by signals and a reload."""

    def on_starting(self, server: ServerView) -> None:
        """Called in the supervisor before it listens."""

    def when_ready(self, server: ServerView) -> None:
        """Called when the supervisor listens, before it forks a worker."""

    def on_reload(self, server: ServerView) -> None:
        """Called in the supervisor when a reload begins."""

    def on_exit(self, server: ServerView) -> None:
        """Called last in the supervisor."""

    def pre_exec(self, server: ServerView) -> None:
        """Called in the process that is to become a new binary."""

    def pre_fork(self, server: ServerView, worker: WorkerView) -> None:
        """Called in the supervisor before a worker is forked."""

    def post_fork(self, server: ServerView, worker: WorkerView) -> None:
        """Called first in the worker, which ends if this raises."""

    def post_worker_init(self, worker: WorkerView) -> None:
        """Called in the worker once it has loaded the application; the worker ends if this raises."""

    def worker_int(self, worker: WorkerView) -> None:
        """Called in the worker when a stop begins by SIGINT or SIGQUIT."""

    def worker_abort(self, worker: WorkerView) -> None:
        """Called once in a worker that is to end as a request is past its time-out; in the supervisor if it hangs."""

    def worker_exit(self, server: ServerView, worker: WorkerView) -> None:
        """Called last in the worker."""

    def child_exit(self, server: ServerView, worker: WorkerView) -> None:
        """Called in the supervisor after a worker's end."""

    def wrap(self, app: WSGIApplication, worker: WorkerView) -> WSGIApplication:
        """The application with the hooks before and after each request."""
        return app

    def context_maker(self, cfg: Cfg) -> ContextMaker | None:
        """The function that makes TLS contexts in place of ours, which it is given a function to make; None: ours."""
        return None


class GunicornHooks(Hooks):
    """The functions of a gunicorn.conf.py.

    Args:
        functions: by gunicorn's names.
        origin: the file, for the log.
    """

    def __init__(self, functions: Mapping[str, Hook], origin: str) -> None:
        self.functions = functions
        self.origin = origin

    def nworkers_changed(self, server: ServerView, new: int, old: int | None) -> None:
        self._begin("nworkers_changed", server, new, old)

    def on_starting(self, server: ServerView) -> None:
        self._begin("on_starting", server)

    def when_ready(self, server: ServerView) -> None:
        self._begin("when_ready", server)

    def pre_fork(self, server: ServerView, worker: WorkerView) -> None:
        self._begin("pre_fork", server, worker)

    def post_fork(self, server: ServerView, worker: WorkerView) -> None:
        self._prepare("post_fork", server, worker)

    def post_worker_init(self, worker: WorkerView) -> None:
        self._prepare("post_worker_init", worker)

    def worker_int(self, worker: WorkerView) -> None:
        self._try("worker_int", worker)

    def worker_abort(self, worker: WorkerView) -> None:
        self._try("worker_abort", worker)

    def worker_exit(self, server: ServerView, worker: WorkerView) -> None:
        self._try("worker_exit", server, worker)

    def child_exit(self, server: ServerView, worker: WorkerView) -> None:
        self._try("child_exit", server, worker)

    def on_reload(self, server: ServerView) -> None:
        self._try("on_reload", server)

    def pre_exec(self, server: ServerView) -> None:
        self._try("pre_exec", server)

    def on_exit(self, server: ServerView) -> None:
        self._try("on_exit", server)

    def wrap(self, app: WSGIApplication, worker: WorkerView) -> WSGIApplication:
        before, after = self.functions.get("pre_request"), self.functions.get("post_request")
        if before is None and after is None:
            return app
        return RequestHooks(app, worker, before, after and self._after_requests(after))

    def context_maker(self, cfg: Cfg) -> ContextMaker | None:
        if "ssl_context" not in self.functions:
            return None

        def make(default: Callable[[], SSLContext]) -> SSLContext:
            made: SSLContext = self._call("ssl_context", cfg, default)
            return made

        return make

    def _after_requests(self, function: Hook) -> Callable[..., None]:
        """post_request with all its arguments, of which *function* may take the first ones only."""
        name = "post_request"
        number = max(number for number in range(1, len(HOOKS[name]) + 1) if takes(function, number))

        def call(worker: WorkerView, *more: object) -> None:
            self._try(name, worker, *more[: number - 1])

        return call

    def _begin(self, name: str, server: ServerView, *more: object) -> None:
        """Call a hook without which nothing begins; once a worker has served, its failure is only logged."""
        if server.has_served:
            self._try(name, server, *more)
        else:
            self._call(name, server, *more)

    def _prepare(self, name: str, *arguments: object) -> None:
        """Call a hook if there is one. Raises Mistake if it fails or exits."""
        try:
            self._call(name, *arguments)
        except (SystemExit, KeyboardInterrupt) as error:
            raise Mistake(f"{self.origin}: {name} exits: {summary(error)}", user_traceback(error)) from None

    def _try(self, name: str, view: ServerView | WorkerView, *more: object) -> None:
        """Call a hook if there is one, and log its failure."""
        try:
            self._prepare(name, view, *more)
        except Mistake as mistake:
            view.log.error("%s", f"{mistake}\n{mistake.details}".rstrip("\n"))

    def _call(self, name: str, *arguments: object) -> Any:
        """Call a hook if there is one; what it returns. Raises Mistake if it fails."""
        function = self.functions.get(name)
        if function is None:
            return None
        try:
            with Contained():
                return function(*arguments)
        except Mistake:
            raise
        except Exception as error:
            raise Mistake(f"{self.origin}: {name} failed: {summary(error)}", user_traceback(error)) from error


def found_hooks(names: Mapping[str, object], origin: str) -> dict[str, Hook]:
    """The hooks among the *names* that a file defines. Raises UsageError if one cannot be called as in gunicorn."""
    found = {}
    for name, arguments in HOOKS.items():
        value = names.get(name)
        if value is not None:
            found[name] = _checked(value, f"{origin}: {name}", f"def {name}({', '.join(arguments)})", name)
    return found


def _checked(value: object, place: str, model: str, name: str) -> Hook:
    if isinstance(value, str):
        value = _imported(value, place)
    if not callable(value):
        raise UsageError(f"{place} = {value!r} is no function; write {model}")
    least = MAY_TAKE_FEWER.get(name, len(HOOKS[name]))
    if not any(takes(value, number) for number in range(least, len(HOOKS[name]) + 1)):
        raise UsageError(f"{place} is called with ({', '.join(HOOKS[name])}), which it does not take; write {model}")
    return value


def _imported(text: str, place: str) -> object:
    """The object that MODULE.NAME names, as gunicorn takes it for a hook. Raises UsageError."""
    module, _, attribute = text.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"{place} = {text!r} cannot be imported: {summary(error)}") from None


def takes(function: Hook, number: int) -> bool:
    """Whether *function* can be called with *number* positional arguments, as far as its signature is known."""
    import inspect

    try:
        inspect.signature(function).bind(*range(number))
    except TypeError:
        return False
    except ValueError:  # it has no signature, as some functions in C
        return True
    return True
