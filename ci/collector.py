"""Stands in for the endpoints of agents: what they send is searched for orders, /order/1000, and answered.

It knows no format: a path stands in JSON, MessagePack and Protocol Buffers as it is. New Relic's agent wants more, TLS
and a conversation, and gets it.
"""

from __future__ import annotations

import gzip
import json
import re
import ssl
import subprocess
import threading
import zlib
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ORDER = re.compile(rb"/order/([0-9]{4})")  # in Protocol Buffers a digit may follow that is none
NEW_RELIC: dict[str, Any] = {
    "preconnect": {"redirect_host": "localhost"},
    "connect": {
        "agent_run_id": "1",
        "data_report_period": 60,
        "collect_errors": True,
        "collect_traces": True,
        "collect_span_events": True,
        "trusted_account_key": "1",
        "account_id": "1",
        "primary_application_id": "1",
        "entity_guid": "1",
        "browser_key": "1",
        "encoding_key": "1" * 40,
        "messages": [],
        "event_harvest_config": {
            "report_period_ms": 5000,
            "harvest_limits": {f"{kind}_event_data": 1000 for kind in ("analytic", "custom", "error", "span", "log")},
        },
    },
    "agent_settings": [],
    "get_agent_commands": [],
}


class Collector(ThreadingHTTPServer):
    """The endpoints of one run, on a port that the system chose, by TLS if *secure* names a folder for a certificate.

    Attributes:
        sent: how many requests of one kind had each order: at most one, if nothing is sent twice.
    """

    daemon_threads = True

    def __init__(self, secure: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sent: Counter[tuple[str, int]] = Counter()
        self.certificate = Path()
        if secure is not None:
            self.certificate, key = secure / "cert.pem", secure / "key.pem"
            name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
            request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *name]
            subprocess.run([*request, "-out", self.certificate, "-keyout", key], check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate, key)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def orders(self) -> set[int]:
        """Those that arrived."""
        return {number for _, number in self.sent}

    @property
    def twice(self) -> int:
        """How many arrived more than once in requests of one kind."""
        return len({number for (_, number), count in self.sent.items() if count > 1})


class Handler(BaseHTTPRequestHandler):
    """One connection of an agent."""

    protocol_version = "HTTP/1.1"
    server: Collector

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        method = parse_qs(url.query).get("method", [""])[0]
        for number in {int(found) for found in ORDER.findall(self.body())}:
            self.server.sent[f"{url.path} {method}", number] += 1
        answer = {"return_value": NEW_RELIC.get(method)} if method else {}
        self.respond(json.dumps(answer).encode())

    do_GET = do_PUT = do_POST

    def respond(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        """What was sent, without its codings."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b"".join(iter(self.chunk, b""))
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        coding = self.headers.get("Content-Encoding", "identity").lower()
        if coding == "gzip":
            return gzip.decompress(data)
        return zlib.decompress(data) if coding == "deflate" else data

    def chunk(self) -> bytes:
        data = self.rfile.read(int(self.rfile.readline(), 16))
        self.rfile.readline()
        return data

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the counts are enough."""
