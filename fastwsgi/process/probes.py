"""The paths at which an orchestrator probes the service, answered before the application sees them.

Liveness says that the worker answers at all. Readiness says whether more requests are welcome: it becomes 503 as soon
as a stop has begun, so that load balancers turn elsewhere while the service still serves (drain_delay).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from fastwsgi.settings.settings import Settings


def with_probes(app: WSGIApplication, settings: Settings, is_stopping: Callable[[], bool]) -> WSGIApplication:
    """*app* behind the probes that the settings ask for, or *app* itself if they ask for none.

    Args:
        is_stopping: whether a stop of the service has begun.
    """
    live, ready = settings.liveness_path, settings.readiness_path
    if not live and not ready:
        return app

    def probed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path and path == ready and is_stopping():
            return answer(start_response, "503 Service Unavailable", b"stopping\n")
        if path and path in (live, ready):
            return answer(start_response, "200 OK", b"ok\n")
        return app(environ, start_response)

    return probed


def answer(start_response: StartResponse, status: str, body: bytes) -> list[bytes]:
    """A short response that no cache keeps."""
    fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response(status, fields)
    return [body]
