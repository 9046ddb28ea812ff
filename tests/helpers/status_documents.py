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
from fastwsgi.status.snapshot import (
    FORMAT,
    Histogram,
    ListenQueue,
    Running,
    Snapshot,
    Told,
    WorkerFigures,
)

NOTHING = Histogram([0] * 15, 0.0)


def worker(position: int, **figures: Any) -> WorkerFigures:
    """A worker of four threads that is ready; *figures* differ."""
    made: dict[str, Any] = {
        "worker": position,
        "pid": 4711 + position,
        "generation": 3,
        "state": "ready",
        "slot": position + 1,
        "age": 273600.0 + position,
        "seen": 0.1,
        "is_stuck": False,
        "has_failed": False,
        "threads": 4,
        "threads_busy": 0,
        "saturated": 0.0,
        "queued": 0,
        "oldest_queued": 0.0,
        "streams_waiting": 0,
        "connections": 12,
        "buffered": 0,
        "spooled": 0,
        "rss": 34 << 20,
        "cpu": 3.5,
        "oldest": 0.0,
        "requests": 100,
        "errors": 0,
        "busy_seconds": 1.0,
        "durations": NOTHING,
    }
    return WorkerFigures(**{**made, **figures})


def call(path: str, seconds: float, **more: Any) -> Running:
    """A request that runs."""
    made: dict[str, Any] = {"method": "GET", "worker": 1, "pid": 4712, "thread": 4801, "request_id": ""}
    return Running(**{**made, "path": path, "seconds": seconds, **more})


def verdict(level: str, word: str, line: str = "", *others: dict[str, str]) -> dict[str, Any]:
    """A verdict."""
    return {"level": level, "word": word, "line": line, "others": list(others)}


def document(workers: list[WorkerFigures], running: list[Running] | None = None, **more: Any) -> dict[str, Any]:
    """The document of a service with these workers; *more* replaces parts of it."""
    snapshot = Snapshot(
        format=FORMAT, version="0.1.0", build="compiled", python="3.11", at=1_800_000_000.0, clock=5000.0,
        since=1_800_000_000.0 - 273_600, supervisor=4710, generation=3, workers_wanted=len(workers), is_stopping=False,
        is_reload_failed=False, failing_starts=0, workers=workers, running=running or [],
        listeners=[ListenQueue("127.0.0.1:8000", 0, 2048)], certificates=[], durations={}, codes={}, probe_answers={},
        queue=NOTHING, proxy_queue=NOTHING, busy_seconds=1.0, accepted=0, received=0, sent=0, refused={},
        refused_peers={}, timeouts={}, queue_full=0, application_errors=0, abandoned=0, lines_dropped=0, logged={},
        starts={}, reloads={}, cpu={}, told=Told("shop:app"),
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
