"""Changes that applications make to the process they are in, and an application that makes them.

The application of SITE makes the change that is named in the file "at_import" while it is imported, and the one in the
query of /change in that request.
"""

from __future__ import annotations

CHANGES = {
    # The process
    "directory": "import os; os.chdir('/')",
    "umask": "import os; os.umask(0o777)",
    "environment": "import os; os.environ.clear()",
    "session": "import os; os.setsid()",
    "niceness": "import os; os.nice(1)",
    "standard input closed": "import os; os.close(0)",
    "standard streams closed": "import os; [os.close(fd) for fd in (0, 1, 2)]",
    "few descriptors": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
    # Signals
    "asyncio": "import asyncio; asyncio.run(asyncio.sleep(0))",
    "wake-up descriptor": "import os, signal; signal.set_wakeup_fd(-1)",
    "handlers": "import signal; [signal.signal(number, lambda *given: None) for number in HANDLED]",
    "ignored": "import signal; [signal.signal(number, signal.SIG_IGN) for number in HANDLED]",
    "blocked": "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))",
    "timer": "import signal; signal.signal(signal.SIGALRM, lambda *given: None); "
    "signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)",
    # The interpreter
    "switch interval": "import sys; sys.setswitchinterval(1)",
    "recursion": "import sys; sys.setrecursionlimit(200)",
    "garbage": "import gc; gc.disable(); gc.freeze()",
    "warnings": "import warnings; warnings.simplefilter('error')",
    "stdout and stderr": "import io, sys; sys.stdout = sys.stderr = io.StringIO()",
    "no stdout and stderr": "import sys; sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None",
    "stdout and stderr closed": "import sys; sys.stdout.close(); sys.stderr.close()",
    "hooks": "import sys, threading; sys.excepthook = sys.unraisablehook = threading.excepthook = fail",
    "tracing": "import sys, threading; threading.settrace(lambda *given: None); sys.settrace(lambda *given: None); "
    "threading.setprofile(lambda *given: None); sys.setprofile(lambda *given: None)",
    "locale": "import locale; locale.setlocale(locale.LC_ALL, LOCALE)",
    "time zone": "import os, time; os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()",
    "default timeout": "import socket; socket.setdefaulttimeout(0.01)",
    "fault handler": "import faulthandler, signal; faulthandler.enable(); faulthandler.dump_traceback_later(3600); "
    "faulthandler.register(signal.SIGURG)",
    "memory trace": "import tracemalloc; tracemalloc.start()",
    "modules": "import sys; [sys.modules.pop(name) for name in list(sys.modules) if name.startswith('fastwsgi')]",
    "seed": "import random; random.seed(1)",
    # Functions that others take the place of
    "builtins": "import builtins; builtins.open = builtins.print = fail",
    "json": "import decimal, json; json.dumps = json.loads = decimal.Decimal = fail",
    "time": "import time; time.time = time.monotonic = time.time_ns = time.sleep = time.gmtime = fail",
    "select": "import select; select.poll = select.epoll = select.select = fail",
    "socket": "import socket; socket.socket = socket.socketpair = socket.fromfd = fail",
    "os": "import os; os.read = os.write = os.writev = os.readv = os.pipe = os.close = os.dup2 = os.getpid = fail",
    "signal": "import signal; signal.signal = signal.set_wakeup_fd = signal.pthread_sigmask = fail",
    "freezegun": "import freezegun; freezegun.freeze_time('2012-01-14').start()",
    "freezegun that ticks": "import freezegun; freezegun.freeze_time('2012-01-14', tick=True).start()",
    "gevent": "import gevent.monkey; gevent.monkey.patch_all(thread=False, select=False)",
    "eventlet": "import warnings; warnings.simplefilter('ignore')\n"
    "import eventlet; eventlet.monkey_patch(thread=False, select=False)",
    # Logging
    "empty configuration": "import logging.config; logging.config.dictConfig({'version': 1})",
    "root configuration": "import logging.config; logging.config.dictConfig({'version': 1, 'root': {'level': 'ERROR'}, "
    "'loggers': {'shop': {'level': 'INFO'}}})",
    "configuration file": "import io, logging.config; logging.config.fileConfig(io.StringIO('[loggers]\\nkeys=root\\n"
    "[handlers]\\nkeys=\\n[formatters]\\nkeys=\\n[logger_root]\\nlevel=CRITICAL\\nhandlers=\\n'))",
    "basic configuration": "import logging; logging.basicConfig(force=True, level='CRITICAL')",
    "logging disabled": "import logging; logging.disable(logging.CRITICAL)",
    "logging shut down": "import logging; logging.shutdown()",
    "logger class": "import logging; logging.setLoggerClass(type('Mine', (logging.Logger,), {'_log': fail}))",
    "record factory": "import logging; logging.setLogRecordFactory(fail)",
    "loggers disabled": "import logging; logging.raiseExceptions = False; "
    "[setattr(one, 'disabled', True) for one in logging.root.manager.loggerDict.values()]",
    "root logger": "import logging; logging.root.handlers.clear(); logging.root.setLevel(100); "
    "logging.root.disabled = True; logging.root.addFilter(fail)",
}

# After these the process cannot serve, or not for long
ENDS = {
    "files of no size": "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
    "fewer descriptors than are open": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))",
    "little memory": "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))",
    "all descriptors closed": "import os; os.closerange(3, 1000)",
    # In parts, so that a signal just before a sleep is seen behind it
    "sleeps for ever": "import time; print('asleep', flush=True); [time.sleep(0.05) for _ in range(2000)]",
    "sleeps with an alarm of its own": "import signal, time; signal.signal(signal.SIGALRM, signal.SIG_IGN); "
    "signal.alarm(100); print('asleep', flush=True); [time.sleep(0.05) for _ in range(2000)]",
}

SITE = """
import locale, os, signal

try:
    LOCALE = locale.setlocale(locale.LC_TIME, "tr_TR.utf8")
except locale.Error:
    LOCALE = "C"  # it is not installed
HANDLED = [getattr(signal, "SIG" + name) for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "CHLD", "PIPE")]
CHANGES = {changes!r}

def fail(*given, **more):
    raise RuntimeError("the application's own has failed")

def change(name):
    if name:
        exec(CHANGES[name], {{"fail": fail, "LOCALE": LOCALE, "HANDLED": HANDLED}})

with open("at_import") as file:
    change(file.read())

def app(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"].replace("+", " ")
    if path == "/change":
        change(query)
    elif path == "/fail":
        raise ArithmeticError(query)
    elif path == "/log":
        environ["wsgi.errors"].write(query + "\\n")
    elif path == "/print":
        os.write(1, b"printed")
        os.write(2, b"printed")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ.get("HTTP_X_REQUEST_ID", "").encode()]
"""


def site() -> str:
    """The text of the application."""
    return SITE.format(changes={**CHANGES, **ENDS})
