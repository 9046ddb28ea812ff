"""Metrics of a threaded worker, read by a thread of its own, and of the listeners."""

import os
import threading

bind = "127.0.0.1:0"
worker_class = "gthread"
threads = 4
grateful_timeout = 120  # as a public file has it


def when_ready(server):
    for listener in server.LISTENERS:
        server.log.info("backlog %d of %s", listener.get_backlog(), str(listener).rpartition(":")[0])


def post_fork(server, worker):
    worker.log.info("at first %d connections, pool %s", worker.nr_conns, type(worker.cfg.threads).__name__)
    worker.seen, worker.told = threading.Event(), threading.Event()
    threading.Thread(target=_watch, args=(worker,), daemon=True).start()


def _watch(worker):
    worker.seen.wait()
    os.environ["SHOP_GAUGES"] = f"{worker.tpool._max_workers} threads, {worker.tpool._work_queue.qsize()} wait"
    worker.told.set()


def pre_request(worker, req):
    if req.path == "/first":
        worker.log.info("%s connections", "some" if worker.nr_conns else "no")
        worker.seen.set()
        worker.told.wait()  # or the next request could be answered before
