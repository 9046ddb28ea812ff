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


def serve(
    app: Callable[..., Any], bind: str | list[str] = "127.0.0.1:8000", *surplus: object, **settings: object
) -> None:
    """Serve *app* until SIGTERM or SIGINT, then answer what is in flight and return.

    With workers=1 it is served in this process, unless a setting such as max_requests wants a supervisor; else this is
    the supervisor, and the workers are forked from it.

    Args:
        app: a WSGI application (PEP 3333).
        bind: HOST:PORT, [::1]:PORT or unix:/path, or a list of these.
        *surplus: none may be given; they are looked at for a host and a port.
        **settings: as on the command line, with underscores: keep_alive=75, access_logfile="-".

    Raises:
        TypeError: *app* cannot be called, the name of an application is for the command line; or there are *surplus*
            arguments.
        SettingError: no such setting, a value it cannot have, values that exclude each
            other, or a setting that says where to find the application, which is given already.
        BindError: an address cannot be listened on.
        Mistake: a file that a setting names cannot be used, or gevent has replaced Python's threads.
        SystemExit: the first worker could not start.
    """
    from fastwsgi import backend
    from fastwsgi.gunicorn.green_threads import refuse_green_threads
    from fastwsgi.mistakes import WrongValue
    from fastwsgi.notices import Notices, to_stderr
    from fastwsgi.process import single, supervisor
    from fastwsgi.process.deployment import FixedDeployment
    from fastwsgi.settings import keywords

    refuse_green_threads()
    if surplus:
        raise TypeError(keywords.surplus((app, bind, *surplus)))
    if not callable(app):
        raise TypeError(f"{app!r} cannot be called: serve() takes the WSGI application itself")
    notices = Notices()
    code = 0
    try:
        values = keywords.read({"bind": bind, **settings}, notices)
        if supervisor.is_needed(values):
            code = supervisor.run(FixedDeployment(app, values), backend.current(), notices)
        else:
            single.run(app, values, backend.current(), notices)
    except WrongValue as mistake:
        raise keywords.told(mistake) from None
    finally:
        notices.pass_on(lambda line: to_stderr(f"fastwsgi: {line}"))
    if code:
        raise SystemExit(code)
