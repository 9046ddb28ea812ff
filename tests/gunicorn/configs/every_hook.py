"""Every hook there is, as the example that goes with gunicorn's documentation has them; each notes its call."""

import sys
import threading
import traceback

calls = []


def on_starting(server):
    calls.append(("on_starting", server.pid, server.cfg.bind))


def when_ready(server):
    calls.append(("when_ready", server.address))


def on_reload(server):
    calls.append(("on_reload", server.num_workers))


def on_exit(server):
    calls.append(("on_exit", server.pid))


def pre_exec(server):
    server.log.info("Forked child, re-executing.")
    calls.append(("pre_exec",))


def nworkers_changed(server, new_value, old_value):
    calls.append(("nworkers_changed", new_value, old_value))


def pre_fork(server, worker):
    calls.append(("pre_fork", worker.age))


def post_fork(server, worker):
    server.log.info("Worker spawned (pid: %s)", worker.pid)
    calls.append(("post_fork", worker.pid))


def post_worker_init(worker):
    calls.append(("post_worker_init", worker.cfg.proc_name))


def worker_int(worker):
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        worker.log.debug("%s\n%s", names.get(ident), "".join(traceback.format_stack(frame)))
    calls.append(("worker_int", worker.pid))


def worker_abort(worker):
    worker.log.info("worker received SIGABRT signal")
    calls.append(("worker_abort", worker.pid))


def worker_exit(server, worker):
    calls.append(("worker_exit", worker.pid))


def child_exit(server, worker):
    calls.append(("child_exit", worker.pid))
