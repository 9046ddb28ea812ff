"""Metrics of several processes: the files of a worker that has ended are to be tidied up by the supervisor."""

from prometheus_client import multiprocess

worker_class = "sync"
workers = 3
statsd_host = "localhost:8125"
statsd_prefix = "shop"


def child_exit(server, worker):
    multiprocess.mark_process_dead(worker.pid)
