"""The paths at which an orchestrator probes the service: routes, which the application never sees (http/routes.py).

Liveness says that the worker answers at all. Readiness says whether more requests are welcome: it becomes 503 as soon
as a stop has begun, so that load balancers turn elsewhere while the service still serves (drain_delay), and while too
many requests wait (ready_queue).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.observe.request_id import with_request_ids
from fastwsgi.status.readiness import obstacle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from fastwsgi.settings.settings import Settings
    from fastwsgi.status.scoreboard import Scoreboard


def probe_routes(settings: Settings, board: Scoreboard) -> dict[str, WSGIApplication]:
    """What answers the probes that the settings ask for, by path."""

    def live(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return answer(start_response, "200 OK", "ok")

    def ready(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        reason = obstacle(board, settings.ready_queue)
        return answer(start_response, "503 Service Unavailable" if reason else "200 OK", reason or "ok")

    probes = {settings.liveness_path: live, settings.readiness_path: ready}
    return {path: with_request_ids(probe, settings) for path, probe in probes.items() if path}


def answer(start_response: StartResponse, status: str, text: str) -> list[bytes]:
    """A short response that no cache keeps."""
    body = f"{text}\n".encode()
    fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response(status, fields)
    return [body]
