"""What a request means to gunicorn: its hooks around it, its access log and statsd, and its error log.

They run in a middleware, which is there only if a hook or the access log is: without them a request pays nothing.
"""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fastwsgi.contrib.gunicorn_settings import is_default, name_of
from fastwsgi.gunicorn.request_hooks import RequestHooks, Response
from fastwsgi.originals import time

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

FAILED = "500 Internal Server Error"
OPTION = re.compile(r"\(--([a-z-]+)\)")  # as lines of our error log name the one to change


def wrap(app: WSGIApplication, worker: Any) -> WSGIApplication:
    """*app* with the hooks and the access log of a gunicorn *worker*, if it has any."""
    before = None if is_default(worker.cfg, "pre_request") else worker.cfg.pre_request
    has_after, has_log = not is_default(worker.cfg, "post_request"), _has_access_log(worker)
    if before is None and not (has_after or has_log):
        return app

    def begin(worker: Any, request: Any) -> None:
        request.began = time.monotonic()
        if before is not None:
            before(worker, request)

    def end(worker: Any, request: Any, environ: WSGIEnvironment, response: Response) -> None:
        if response.status is None:
            response.begin(FAILED, [])
        if has_log:
            worker.log.access(response, request, environ, timedelta(seconds=time.monotonic() - request.began))
        if has_after:
            try:
                worker.cfg.post_request(worker, request, environ, response)
            except Exception:
                worker.log.exception("Exception in post_request hook")

    return RequestHooks(app, worker, begin, end if has_after or has_log else None)


def _has_access_log(worker: Any) -> bool:
    """Whether the logger is to be told of requests: there is a log, or the class does something else with them."""
    from gunicorn.glogging import Logger  # type: ignore[import-untyped,import-not-found,unused-ignore]

    cfg, log = worker.cfg, worker.log
    if type(log).access is not Logger.access:
        return True
    to_syslog = cfg.syslog and not cfg.disable_redirect_access_to_syslog
    return bool(cfg.accesslog or cfg.logconfig or cfg.logconfig_dict or getattr(cfg, "logconfig_json", "") or to_syslog)


class ToGunicorn(logging.Handler):
    """Passes entries of our error log on to gunicorn's logger, of whatever class that is."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log *record* at its level."""
        method = getattr(self._log, record.levelname.lower(), self._log.error)
        method("%s", OPTION.sub(_named, record.getMessage()), exc_info=record.exc_info)


def _named(match: re.Match[str]) -> str:
    """An option of ours by the name under which gunicorn's user gives it."""
    return f"({name_of(match[1].replace('-', '_'))})"
