"""What tests of gunicorn's hooks share: what the views show, hooks from files, and an environ."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fastwsgi.gunicorn import file as gunicorn_file
from fastwsgi.gunicorn.cfg import Cfg
from fastwsgi.gunicorn.hooks import GunicornHooks
from fastwsgi.http.file_wrapper import FileWrapper
from fastwsgi.process.hook_views import ServerView, WorkerView
from fastwsgi.settings.settings import Settings

CONFIGS = Path(__file__).parents[1] / "gunicorn" / "configs"
LOGGER = logging.getLogger("fastwsgi.error")


def views(**values: Any) -> tuple[ServerView, WorkerView]:
    """A supervisor and a worker as process/ shows them."""
    given = {"bind": ["127.0.0.1:80", "unix:s"], "threads": 4, "pid": "x.pid", "proc_name": "shop", **values}
    settings = Settings(**given)
    supervisor = SimpleNamespace(
        cfg=lambda settings: Cfg(settings, "shop:app"),
        deployment=SimpleNamespace(directory="/srv", load=lambda settings: start_response),
        settings=settings,
        fleet=SimpleNamespace(size=2, served=False),
        listeners=SimpleNamespace(bindings=[]),
        upgrade=SimpleNamespace(predecessor=0, successor=7),
    )
    server = ServerView(settings, LOGGER, supervisor)  # type: ignore[arg-type]
    server.pid = 1
    worker = WorkerView(server, settings, 3, [])
    worker.pid, worker.booted = 2, True
    server.WORKERS = {2: worker, 3: worker}
    return server, worker


def hooks_of(name: str) -> GunicornHooks:
    path = CONFIGS / name
    hooks = gunicorn_file.read(name, str(path), str(CONFIGS)).hooks
    assert isinstance(hooks, GunicornHooks)
    return hooks


def global_of(hooks: GunicornHooks, name: str) -> Any:
    return next(iter(hooks.functions.values())).__globals__[name]


def environ(**values: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/shop",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "id=1",
        "RAW_URI": "/shop/a%20b?id=1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_X_ONE": "1",
        "CONTENT_TYPE": "text/css",
        "REMOTE_ADDR": "10.0.0.1",
        "REMOTE_PORT": "777",
        "wsgi.url_scheme": "http",
        "wsgi.file_wrapper": FileWrapper,
        **values,
    }


def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
    return lambda data: None


def raising(*arguments: Any) -> None:
    raise ValueError("no database")
