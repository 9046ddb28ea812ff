"""Loaded before the fork; each worker opens its own connections, as tracing and pools need it."""

import os

bind = "127.0.0.1:0"
workers = 2
preload_app = True


def when_ready(server):
    server.log.info("loaded: %s", server.app.wsgi() is server.app.callable)


def post_fork(server, worker):
    os.environ["SHOP_TRACER"] = "made in the worker: %s" % (os.getpid() == worker.pid)
    worker.log.info("the application is there: %s", callable(worker.app.wsgi()))


def post_worker_init(worker):
    worker.log.info("it is the same: %s", worker.wsgi is worker.app.callable)
