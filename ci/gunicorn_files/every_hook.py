"""All hooks log, as in the file that comes with gunicorn."""

bind = "127.0.0.1:0"
workers = 2


def post_fork(server, worker):
    server.log.info("Worker spawned")


def pre_fork(server, worker):
    pass


def when_ready(server):
    server.log.info("Server is ready. Spawning workers")


def worker_int(worker):
    worker.log.info("worker received INT or QUIT signal")


def worker_exit(server, worker):
    server.log.warning("worker %s exits", worker.age)


def on_reload(server):
    server.log.info("reload with %d workers", server.cfg.workers)


def on_exit(server):
    server.log.info("bye")
