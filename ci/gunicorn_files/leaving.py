"""A worker that has grown too big ends after a request, and another takes its place."""

bind = "127.0.0.1:0"


def post_request(worker, req, environ):
    if req.path == "/first":
        worker.log.info("too big: alive is %s", worker.alive)
        worker.alive = False
