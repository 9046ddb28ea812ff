"""The configuration that both servers are given: a file of this folder, with every hook recorded.

GUNICORN_FILE names the file, RECORD the file to which each call adds a line of JSON: the hook, the process, the kinds
of its arguments, and what it can see. Messages that the hooks of the file log are added, too, wherever they go besides.
"""

import json
import logging
import os
import sys
import threading
import time
from pathlib import Path

_source = Path(os.environ["GUNICORN_FILE"])
exec(compile(_source.read_text(), str(_source), "exec"), globals())

_ARGUMENTS = {
    "nworkers_changed": "server new_value old_value",
    "on_starting": "server",
    "when_ready": "server",
    "pre_fork": "server worker",
    "post_fork": "server worker",
    "post_worker_init": "worker",
    "pre_request": "worker req",
    "post_request": "worker req environ resp",
    "worker_int": "worker",
    "worker_abort": "worker",
    "worker_exit": "server worker",
    "child_exit": "server worker",
    "on_reload": "server",
    "on_exit": "server",
}
_SEEN = {
    "server": lambda server: [server.num_workers, server.cfg.workers, getattr(server, "reexec_pid", 0)],
    "worker": lambda worker: [worker.aborted, len(worker.sockets), worker.ppid == os.getpid()],
    "req": lambda req: [req.method, req.path, req.query, req.uri, req.version, req.scheme],
    "resp": lambda resp: [resp.status, resp.sent],
}


def _record(line):
    with open(os.environ["RECORD"], "ab", buffering=0) as file:
        file.write(json.dumps(line).encode() + b"\n")


class _Messages(logging.Handler):
    """Records what code of the file logs."""

    def emit(self, record):
        frame = sys._getframe()
        while frame is not None and frame.f_code.co_filename != str(_source):
            frame = frame.f_back
        if frame is not None:
            _record({"logged": [record.levelname, record.getMessage()], "pid": os.getpid()})


def _see(kind, value):
    """An argument as it is recorded: a plain value, or what kind of thing it is and what it shows."""
    if kind == "environ":
        return [kind, isinstance(value, dict)]
    return [kind, *_SEEN[kind](value)] if kind in _SEEN and value is not None else value


def _call(name, function, *given):
    kinds = _ARGUMENTS[name].split()
    log = given[0].log.error_log
    if not any(type(handler).__name__ == "_Messages" for handler in log.handlers):
        log.addHandler(_Messages())
    line = {"hook": name, "pid": os.getpid(), "arguments": [_see(kind, value) for kind, value in zip(kinds, given)]}
    if name == "when_ready":
        line["listeners"] = [str(one) for one in given[0].LISTENERS]
    _record(line)
    if name == "post_worker_init":
        threading.Thread(target=_watch_boot, args=given, daemon=True).start()
    if function is not None:
        function(*given[: function.__code__.co_argcount])


def _watch_boot(worker):
    """Record when a worker serves, for which there is no hook."""
    while not worker.booted:
        time.sleep(0.01)
    _record({"booted": worker.pid, "pid": worker.pid})


_functions = {_name: globals().get(_name) for _name in _ARGUMENTS}
for _name, _given in _ARGUMENTS.items():  # with as many arguments as gunicorn asks for
    _names = ", ".join(_given.split())
    exec(f"def {_name}({_names}): _call({_name!r}, _functions[{_name!r}], {_names})")
