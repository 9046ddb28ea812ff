"""Made-up services as /status.json shows them, and a server that answers with them."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastwsgi.status.document import document as document_of
from fastwsgi.status.history import History
from fastwsgi.status.snapshot import Running, Told, WorkerFigures
from tests.helpers import snapshots
from tests.helpers.snapshots import AT

AGE = 273_600.0
OF_WORKER: dict[str, Any] = {
    "generation": 3, "seen": 0.1, "connections": 12, "rss": 34 << 20, "cpu": 3.5, "requests": 100, "busy_seconds": 1.0,
}  # fmt: skip


def worker(position: int, **figures: Any) -> WorkerFigures:
    """A worker of four threads that is ready; *figures* differ."""
    return snapshots.worker(position, **{**OF_WORKER, "pid": 4711 + position, "age": AGE + position, **figures})


def call(path: str, seconds: float, **more: Any) -> Running:
    """A request that runs."""
    return snapshots.running(path, seconds, **{"worker": 1, "pid": 4712, "thread": 4801, **more})


def verdict(level: str, word: str, line: str = "", *others: dict[str, str]) -> dict[str, Any]:
    """A verdict."""
    return {"level": level, "word": word, "line": line, "others": list(others)}


def document(workers: list[WorkerFigures], running: list[Running] | None = None, **more: Any) -> dict[str, Any]:
    """The document of a service with these workers; *more* replaces parts of it."""
    snapshot = snapshots.snapshot(
        since=AT - AGE, generation=3, workers_wanted=len(workers), workers=workers, running=running or [],
        told=Told("shop:app"),
    )  # fmt: skip
    made = document_of(snapshot, History())
    made["verdict"] = verdict("ok", "serving")
    put(made["rates"], utilisation=0.43, requests=182.4, errors=0.004, p50=0.012, p95=0.24, p99=1.2)
    for one in made["workers"]:
        put(one, request_rate=45.6, error_rate=0.03, p95=0.012, cpu_share=0.37)
    return {**made, **more}


def put(figures: dict[str, Any], **values: float) -> None:
    """Change figures that are there."""
    assert values.keys() <= figures.keys()
    figures.update(values)


class StatusSite:
    """A status address that answers with what it is given, until it is closed.

    Attributes:
        answers: the body for each path; it may change.
        port: where it listens.
    """

    def __init__(self, answers: dict[str, bytes], port: int = 0) -> None:
        site = self
        self.answers = answers
        self._free = threading.Event()
        self._free.set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site._free.wait()
                body = site.answers.get(self.path, b"")
                self.send_response(200 if body else 403)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def show(self, document: dict[str, Any]) -> None:
        """Answer with *document* from now on."""
        self.answers["/status.json"] = json.dumps(document).encode()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Answer nothing for the time of the block."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def status_site(document: dict[str, Any], port: int = 0) -> Iterator[StatusSite]:
    """A StatusSite that shows *document*."""
    site = StatusSite({}, port)
    site.show(document)
    try:
        yield site
    finally:
        site.close()
