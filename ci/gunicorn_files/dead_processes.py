"""Files of dead processes are removed, as prometheus_client wants it; CPUs decide the number of workers."""

import multiprocessing
from pathlib import Path

bind = "127.0.0.1:0"
workers = min(2, multiprocessing.cpu_count() * 2 + 1)
timeout = 120
graceful_timeout = 5
keepalive = 5
max_requests_jitter = 50
worker_tmp_dir = "/dev/shm"
_directory = Path("metrics")
_directory.mkdir(exist_ok=True)  # a reload runs this again


def post_fork(server, worker):
    (_directory / str(worker.pid)).touch()
    worker.log.info("time-outs: %d and %d s, at most %s requests", worker.timeout, server.timeout, worker.max_requests)


def child_exit(server, worker):
    (_directory / str(worker.pid)).unlink()
    server.log.info("a process is marked as dead")


def on_exit(server):
    _directory.rmdir()
    server.log.info("none is left")
