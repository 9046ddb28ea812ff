"""fastwsgi: a WSGI server, compiled where speed counts, pure Python where it must be.

    fastwsgi.serve(app, bind="0.0.0.0:8000")                       serves until SIGTERM or Ctrl-C
    fastwsgi.make_server("127.0.0.1", 8000, app).serve_forever()   as wsgiref.simple_server does

The command line is `fastwsgi MODULE:APP`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi import originals  # noqa: F401  # before the program replaces parts of them
from fastwsgi.version import VERSION as __version__

if TYPE_CHECKING:
    from fastwsgi.mistakes import Mistake
    from fastwsgi.server.addresses import BindError
    from fastwsgi.settings.setting import SettingError
    from fastwsgi.simple import WSGIRequestHandler, WSGIServer, make_server

__all__ = [
    "BindError",
    "Mistake",
    "SettingError",
    "WSGIRequestHandler",
    "WSGIServer",
    "__version__",
    "make_server",
    "serve",
]

# Imported at first use: wsgiref alone takes longer to import than all of fastwsgi
AT_FIRST_USE = {
    "BindError": "fastwsgi.server.addresses",
    "Mistake": "fastwsgi.mistakes",
    "SettingError": "fastwsgi.settings.setting",
    "WSGIRequestHandler": "fastwsgi.simple",
    "WSGIServer": "fastwsgi.simple",
    "make_server": "fastwsgi.simple",
}


def __getattr__(name: str) -> Any:
    """What is imported at first use, whatever its type."""
    if name not in AT_FIRST_USE:
        raise AttributeError(f"module 'fastwsgi' has no attribute {name!r}")
    return getattr(import_module(AT_FIRST_USE[name]), name)


def serve(app: Callable[..., Any], bind: str | list[str] = "127.0.0.1:8000", **settings: object) -> None:
    """Serve *app* until SIGTERM or SIGINT, then answer what is in flight and return.

    With workers=1 it is served in this process, unless a setting such as max_requests wants a supervisor; else this is
    the supervisor, and the workers are forked from it.

    Args:
        app: a WSGI application (PEP 3333).
        bind: HOST:PORT, [::1]:PORT or unix:/path, or a list of these.
        **settings: as on the command line, with underscores: keep_alive=75, access_logfile="-".

    Raises:
        TypeError: *app* cannot be called; the name of an application is for the command line.
        SettingError: no such setting, a value it cannot have, values that exclude each
            other, or a setting that says where to find the application, which is given already.
        BindError: an address cannot be listened on.
        Mistake: a certificate cannot be used, or gevent has replaced Python's threads.
        OSError: the access log cannot be opened.
        SystemExit: the first worker could not start.
    """
    from fastwsgi import backend
    from fastwsgi.gunicorn.green_threads import refuse_green_threads
    from fastwsgi.notices import Notices
    from fastwsgi.process import life, single, supervisor
    from fastwsgi.process.deployment import FixedDeployment
    from fastwsgi.settings.given import Given
    from fastwsgi.settings.rules import without_effect
    from fastwsgi.settings.settings import SettingError, Settings

    refuse_green_threads()
    if not callable(app):
        raise TypeError(f"{app!r} cannot be called: serve() takes the WSGI application itself")
    for name in ("chdir", "pythonpath", "factory", "env"):
        if name in settings:
            raise SettingError(f"{name} says how to find the application, and serve() was given one")
    values = Settings(bind=[bind] if isinstance(bind, str) else bind, **settings)
    notices = Notices()
    for line in without_effect(values, {name: Given(value, name) for name, value in settings.items()}):
        notices(line)
    try:
        if not supervisor.is_needed(values):
            single.run(app, values, backend.current(), notices)
        elif code := supervisor.run(FixedDeployment(app, values), backend.current(), notices):
            raise SystemExit(code)
    finally:
        notices.pass_on(lambda line: life.to_stderr(f"fastwsgi: {line}"))
