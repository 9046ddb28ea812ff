"""What the tests take for granted of the process that runs them, whoever started it: conftest.py settles it first.

A background job of a script has SIGINT ignored, nohup and some CI runners ignore or block other signals, a container
sets PORT, a developer FORCE_COLOR. All that is inherited by the servers that the tests start, and is no subject of
theirs. Where it is, the test makes it so in a process of its own. What is not settled here must not matter: the folder,
the user, the language, the time zone, the load.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import tempfile

from hypothesis import HealthCheck, settings

OF_THE_BUILD = {
    f"FASTWSGI_{name}" for name in ("BACKEND", "NO_EXT", "PGO", "REQUIRE_EXT", "SANITIZE", "SYMBOLS")
}
OF_SERVERS = r"FASTWSGI_\w+|GUNICORN_\w+|WEB_CONCURRENCY|PORT|(NOTIFY|LISTEN|WATCHDOG)_\w+|JOURNAL_STREAM|INVOCATION_ID"
OF_PYTHON = r"PYTHON(WARNINGS|SAFEPATH|DEVMODE|IOENCODING|INSPECT|STARTUP|TRACEMALLOC|VERBOSE|_COLORS|_BASIC_REPL)"
OF_CLIENTS = r"(?i:\w+_proxy)|SSL_CERT_\w+|SSLKEYLOGFILE|REQUESTS_CA_BUNDLE|CURL_(CA_BUNDLE|HOME)"
OF_TERMINALS = r"FORCE_COLOR|NO_COLOR|CLICOLOR\w*|COLUMNS|LINES|MAN\w+|LESS|PAGER"
OF_APPLICATIONS = r"DJANGO_\w+|FLASK_\w+|SCRIPT_NAME"
FOREIGN = re.compile("|".join((OF_SERVERS, OF_PYTHON, OF_CLIENTS, OF_TERMINALS, OF_APPLICATIONS)))
DESCRIPTORS = 1024
ROOM = 32  # bytes for the temporary directory, of the 107 that the path of a unix socket may have


def settle() -> None:
    """Undo in this process, and so in those that it starts, what its starter has changed.

    Hypothesis is told to take the time that it needs, and to write nothing into the working directory.
    """
    settle_signals()
    settle_variables()
    settle_descriptors()
    if len(os.fsencode(tempfile.gettempdir())) > ROOM:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = "/tmp"  # where pytest makes tmp_path; product and tests keep TMPDIR
    settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    settings.load_profile("tests")


def settle_signals() -> None:
    """Give each signal what a Python process started from a terminal has: none is blocked, SIGPIPE alone is ignored."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def settle_descriptors() -> None:
    """Allow as many open files as Linux allows by default; for a lower hard limit there are too many clients here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def settle_variables() -> None:
    """Remove the variables that would configure a server, an interpreter, a client or an application of the tests."""
    for name in [*os.environ]:
        if FOREIGN.fullmatch(name) and name not in OF_THE_BUILD:
            del os.environ[name]
    os.environ.setdefault("container", "of the tests")  # else root would get a line more, the warning of its rights
