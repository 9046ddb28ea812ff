"""The paths by which an orchestrator asks after the service, answered before the application sees them.

Liveness says that the worker answers at all. Readiness says whether more requests are welcome: it turns to 503 as soon
as a stop has begun, so that balancers turn away while the service still serves (drain_delay).
"""

from __future__ import annotations

from typing import Any, Callable


def with_probes(app: Callable[..., Any], settings: Any, stopping: Callable[[], bool]) -> Callable[..., Any]:
    """*app* behind the probes that the settings ask for, or *app* itself if they ask for none.

    Args:
        stopping: whether the service is about to stop.
    """
    live, ready = settings.liveness_path, settings.readiness_path
    if not live and not ready:
        return app

    def probed(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path and path == ready and stopping():
            return answer(start_response, "503 Service Unavailable", b"stopping\n")
        if path and path in (live, ready):
            return answer(start_response, "200 OK", b"ok\n")
        return app(environ, start_response)

    return probed


def answer(start_response: Any, status: str, body: bytes) -> list[bytes]:
    """A short response that no cache keeps."""
    fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response(status, fields)
    return [body]
