"""The attributes of gunicorn's arbiter and workers that are not here, each with the way that there is instead.

A view raises AttributeError with that line, so that hasattr() and getattr() with a default go on as they do there.
"""

from __future__ import annotations

_SIGNAL = "send a signal to server.pid: os.kill(server.pid, signal.{})"
_NO_METHOD = "the server does that by itself; the hooks are the places to add something"
_LOOP = "one loop serves all connections; worker.nr_conns, worker.futures and worker.tpool tell what it does"

OF_SERVER = {
    **dict.fromkeys(("halt", "stop", "handle_term", "handle_int"), _SIGNAL.format("SIGTERM")),
    **dict.fromkeys(("reload", "handle_hup"), _SIGNAL.format("SIGHUP")),
    **dict.fromkeys(("reexec", "handle_usr2"), _SIGNAL.format("SIGUSR2")),
    **dict.fromkeys(("spawn_worker", "spawn_workers", "manage_workers", "handle_ttin"), _SIGNAL.format("SIGTTIN")),
    "handle_ttou": _SIGNAL.format("SIGTTOU"),
    "handle_usr1": _SIGNAL.format("SIGUSR1"),
    **dict.fromkeys(("run", "start", "setup", "murder_workers", "reap_workers", "init_signals", "wakeup"), _NO_METHOD),
    "pidfile": "server.cfg.pidfile is its path",
    "worker_class": "there is one kind of worker; server.cfg.worker_class_str is what comes nearest",
    "SIG_QUEUE": "signals are not queued for hooks; read them where they arrive",
    "PIPE": "the server has no pipe; os.kill(server.pid, signal.SIGHUP) wakes it",
}
OF_WORKER = {
    "wsgi": "the application is loaded after post_fork; worker.app.wsgi() loads it now",
    **dict.fromkeys(("poller", "keepalived_conns", "pending_conns", "method_queue", "wait_fds", "PIPE"), _LOOP),
    **dict.fromkeys(("run", "init_process", "init_signals", "load_wsgi", "get_thread_pool"), _NO_METHOD),
    **dict.fromkeys(
        ("handle", "handle_request", "handle_error", "accept", "enqueue_req", "finish_request"), _NO_METHOD
    ),
    **dict.fromkeys(("handle_exit", "handle_quit", "handle_abort"), "set worker.alive = False to have it replaced"),
    "reloader": "the supervisor watches the source files; see --reload",
    "worker_connections": "worker.cfg.worker_connections is the limit",
    "max_keepalived": "worker.cfg.worker_connections is the limit",
}
OF_LOG = {
    "reopen_files": "send a signal to the supervisor: os.kill(server.pid, signal.SIGUSR1)",
    "close_on_exec": "the log files are closed in programs that the server starts",
    **dict.fromkeys(("access", "atoms", "setup"), "see --access-log-format and --log-config"),
    "cfg": "see server.cfg or worker.cfg",
}


def missing(owner: str, name: str, table: dict[str, str]) -> AttributeError:
    """The error for an attribute *name* of *owner* that is neither gunicorn's and kept, nor of the user's own."""
    return AttributeError(
        f"{owner}.{name}: {table.get(name, 'no such attribute; docs/from-gunicorn.md lists those that hooks have')}"
    )
