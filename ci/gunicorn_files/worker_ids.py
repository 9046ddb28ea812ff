"""Each worker gets the least free number, kept by attributes of its own on server and worker."""

import os

bind = "127.0.0.1:0"
workers = 2


def on_starting(server):
    server._spare_ids = set()


def nworkers_changed(server, new_value, old_value):
    server._most_ids = new_value


def on_reload(server):
    server._spare_ids = set(range(1, server.cfg.workers + 1))


def _free_id(server):
    if server._spare_ids:
        return server._spare_ids.pop()
    taken = {worker._id for worker in server.WORKERS.values() if worker.alive}
    return min(set(range(1, server._most_ids + 1)) - taken)


def pre_fork(server, worker):
    worker._id = _free_id(server)
    server.log.info("number %d", worker._id)


def post_fork(server, worker):
    os.environ["SHOP_KNOWS_ITS_NUMBER"] = str(worker._id in (1, 2, 3))


def child_exit(server, worker):
    server.log.info("a number is free: %s", worker._id in (1, 2, 3))
