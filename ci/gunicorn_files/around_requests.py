"""Requests are changed, refused and counted; what is served is wrapped once it is loaded."""

bind = "127.0.0.1:0"


def post_worker_init(worker):
    served = worker.wsgi

    def wrapped(environ, start_response):
        environ["shop.wrapped"] = worker.booted
        return served(environ, start_response)

    worker.wsgi = wrapped


def pre_request(worker, req):
    if req.path == "/refused":
        raise LookupError("not this one")
    req.headers.append(("X-QUEUE", req.path))


def post_request(worker, req, environ, resp):
    worker.log.info("%s gave %s, the first: %s", req.path, getattr(resp, "status", None), worker.nr == 1)
