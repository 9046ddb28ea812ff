"""Hooks around requests: a timer on the worker, a header and the scheme for the application, varied signatures."""

import time

workers = 1
seen = []


def pre_request(worker, req):
    worker.started = time.monotonic()
    worker.log.debug("%s %s", req.method, req.path)
    req.headers.append(("X-Queue", "short"))
    req.scheme = "https"


def post_request(worker, req, *rest):
    environ, resp = rest
    seen.append((req.uri, resp.status, resp.status_code, resp.sent, environ["HTTP_X_QUEUE"], dict(resp.headers)))
    assert time.monotonic() >= worker.started
