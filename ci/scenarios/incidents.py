"""Incidents: each does something to a service under load, and undoes it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ci.scenarios.views import Signs
from fastwsgi.gil import HAS_GIL
from tests.helpers.deployments import Deployment
from tests.helpers.pki import openssl
from tests.helpers.serving import Client, request

SHAPE: dict[str, Any] = {
    "workers": 4,
    "threads": 2,
    "max_queue": 8,
    "ready_queue": 4,
    "readiness_path": "/readyz",
    "status_bind": "127.0.0.1:0",
}
SITE = """
import ctypes, os, socket

def app(environ, start_response):
    if environ["PATH_INFO"] == "/stuck":
        ctypes.PyDLL(None).sleep(4)  # a C call that keeps the GIL
    if environ["PATH_INFO"] == "/order":
        with socket.create_connection(("127.0.0.1", {port})) as dependency:
            dependency.recv(1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
CALM = Signs("fastwsgi_stopping 0", "^serving", "^200 ok")
LONGEST = 10.0  # seconds that the dependency takes when it is slow
CROWD = 60  # clients beside the load, more than all threads and queues take
SOON, LATER = 3, 90  # days until a certificate ends
CERTIFICATE, KEY = "cert.pem", "key.pem"


class Dependency:
    """What the application waits for: answers at once, or late.

    Attributes:
        port: where it listens.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._free = threading.Event()
        self._free.set()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client = self._listener.accept()[0]
            if self._free.is_set():
                self._answer(client)
            else:
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client:
            self._free.wait(LONGEST)
            try:
                client.send(b"x")
            except OSError:  # its worker was killed
                pass

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Be slow for the time of the block."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()


class Incident:
    """Something that happens; its first line says what.

    Attributes:
        signs: what tells it.
    """

    signs: Signs

    def __init__(self, server: Deployment, dependency: Dependency) -> None:
        self.server = server
        self.dependency = dependency
        self.site = SITE.format(port=dependency.port)
        self.stack = ExitStack()

    def begin(self) -> None:
        """Have it happen."""

    def end(self) -> None:
        """Have it be over."""
        self.stack.close()


class SlowDependency(Incident):
    """a slow dependency"""

    signs = Signs(r"fastwsgi_requests_queued\S* [1-9]\d*", "^saturated", "^503 .*wait", r"^ +\S+ .* GET /order$")

    def begin(self) -> None:
        self.stack.enter_context(self.dependency.slow())


class StuckWorker(Incident):
    """a worker stuck in a C call"""

    signs = Signs(
        r"fastwsgi_worker_heartbeat_age_seconds\S* (?:1\.[5-9]|[2-9])\S*", "^stuck", "^200 ok", r"^ .* stuck .*$"
    )

    def begin(self) -> None:
        self.stack.enter_context(Client(self.server.address)).send(request(target="/stuck"))


class CrashLoop(Incident):
    """a crash loop"""

    signs = Signs(r'fastwsgi_workers\{state="ready"\} 3', "^crash loop", "^200 ok", r"workers 3/4")

    def begin(self) -> None:
        self.server.write("import os\nos._exit(3)\n")
        os.kill(int(self.server.ask()), signal.SIGKILL)

    def end(self) -> None:
        self.server.write(self.site)


class FullQueue(Incident):
    """a full queue"""

    signs = Signs(r"fastwsgi_queue_full_total [1-9]\d*", "^queue full", "^503 .*wait", r"queue \d\d")

    def begin(self) -> None:
        self.stack.enter_context(self.dependency.slow())
        for _ in range(CROWD):
            self.stack.enter_context(Client(self.server.address)).send(request(target="/order"))


class FailedReload(Incident):
    """a failed reload"""

    signs = Signs(r'fastwsgi_reloads_total\{result="failure"\} 1', "^reload failed", "^200 ok")

    def begin(self) -> None:
        self.server.write("import nothing_of_that_name\n")
        self.server.signal(signal.SIGHUP)

    def end(self) -> None:
        self.server.write(self.site)
        self.server.signal(signal.SIGHUP)


class ExpiringCertificate(Incident):
    """a certificate that ends soon"""

    def __init__(self, server: Deployment, dependency: Dependency) -> None:
        super().__init__(server, dependency)
        self.new = sign(server.directory, SOON, "soon.pem")
        metric = r"fastwsgi_certificate_not_after_seconds\S* \S+"
        self.signs = Signs(metric, "^certificate", "^200 ok", below=time.time() + SOON * 86400)

    def begin(self) -> None:
        self._use(self.new)

    def end(self) -> None:
        self._use(sign(self.server.directory, LATER, "later.pem"))

    def _use(self, certificate: Path) -> None:
        certificate.replace(self.server.directory / CERTIFICATE)
        self.server.signal(signal.SIGHUP)  # without, it is noticed within two seconds


OF_GIL = (StuckWorker,) if HAS_GIL else ()
INCIDENTS = (SlowDependency, *OF_GIL, CrashLoop, FullQueue, FailedReload)
"""Those of one service, in this order; ExpiringCertificate takes one with TLS."""


def sign(directory: Path, days: int, name: str = CERTIFICATE) -> Path:
    """Make a certificate that ends in so many days; the key of all in *directory* is KEY."""
    key, certificate = directory / KEY, directory / name
    if not key.exists():
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", str(key))
    about = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    openssl("req", "-x509", "-new", "-key", str(key), "-days", str(days), "-out", str(certificate), *about)
    return certificate
