"""HTTP over TLS on real sockets: what a client gets, and what environ says."""

from __future__ import annotations

import hashlib
import http.client
import socket
import subprocess
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from tests.helpers.environ_echo import entries, environ_app
from tests.helpers.pki import Pki
from tests.helpers.serving import GET, PATIENCE, answering, request, serving

HELLO = answering(b"hello")
MIB = 1 << 20


def test_requests_on_one_connection(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, HELLO, **pki.settings) as server, pki.connect(server.address) as client:
        for _ in range(3):
            assert client.send(GET).answer().body == b"hello"
        client.send(GET * 20)  # pipelined, in one record
        assert [client.answer().body for _ in range(20)] == [b"hello"] * 20
        for byte in GET:  # a record for each byte
            client.send(bytes([byte]))
        assert client.answer().body == b"hello"


def test_environ_tells_of_tls(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, environ_app, **pki.settings) as server:
        with pki.connect(server.address) as client:
            found = entries(client.send(request(fields=[("SSL-Client-Verify", "SUCCESS")])).answer().body)
            protocol, cipher = client.socket.version(), client.socket.cipher()[0]
    told = {key: value for key, value in found.items() if key.startswith(("SSL_", "HTTPS", "wsgi.url"))}
    assert told == {
        "wsgi.url_scheme": "'https'",
        "HTTPS": "'on'",
        "SSL_PROTOCOL": repr(protocol),
        "SSL_CIPHER": repr(cipher),
        "SSL_SESSION_RESUMED": "'Initial'",
        "SSL_TLS_SNI": "'localhost'",
        "SSL_CLIENT_VERIFY": "'NONE'",
    }
    assert found["HTTP_SSL_CLIENT_VERIFY"] == "'SUCCESS'"  # what a client says has another name


def test_all_requests_of_a_connection_are_told_of_tls(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, environ_app, **pki.settings) as server, pki.connect(server.address) as client:
        for field in ("same",) * 8 + ("other", "third"):
            found = entries(client.send(request(fields=[("X-Field", field)])).answer().body)
            assert (found["SSL_TLS_SNI"], found["HTTP_X_FIELD"]) == ("'localhost'", repr(field))


def test_a_big_upload_and_a_big_download(build: SimpleNamespace, pki: Pki) -> None:
    data = bytes(range(256)) * (4 * MIB // 256)
    with serving(build, environ_app, **pki.settings) as server, pki.connect(server.address) as client:
        body = client.send(request("POST", body=data)).answer().body
        assert body.decode() == f"{len(data)} {hashlib.sha256(data).hexdigest()}"
    with serving(build, answering(data, data[:77777]), **pki.settings) as server:
        with pki.connect(server.address) as client:
            assert client.send(GET).answer().body == data + data[:77777]
            assert client.send(GET).answer().whole


def test_a_file_is_read_and_sent(build: SimpleNamespace, pki: Pki, tmp_path: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 100_000)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](path.open("rb"))

    with serving(build, app, **pki.settings) as server, pki.connect(server.address) as client:
        assert client.send(GET).answer().body == path.read_bytes()


def test_a_body_that_only_the_end_delimits_ends_in_tls(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, HELLO, **pki.settings) as server, pki.connect(server.address) as client:
        client.send(request(version="1.0"))
        assert client.answer().body == b"hello"
        assert client.rest() == b""
        assert client.end == "closed"


def test_a_stream_that_fails_does_not_look_whole(build: SimpleNamespace, pki: Pki) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"half"
        raise RuntimeError("half-way")

    with serving(build, app, **pki.settings) as server, pki.connect(server.address) as client:
        client.send(request(version="1.0"))
        assert client.rest().endswith(b"half")
        assert client.end in ("cut", "reset")


@pytest.mark.parametrize("politely", [True, False])
def test_a_cut_body_never_reaches_the_application(build: SimpleNamespace, pki: Pki, politely: bool) -> None:
    with serving(build, environ_app, **pki.settings) as server, pki.connect(server.address) as client:
        client.send(request("POST", fields=[("Content-Length", "100")]) + b"part")
        if politely:
            client.socket.settimeout(0)
            with pytest.raises(OSError, match="read"):
                client.socket.unwrap()  # close_notify, and none from the server yet
            client.socket.settimeout(PATIENCE)
        client.socket.shutdown(socket.SHUT_WR)
        with socket.socket(fileno=client.socket.detach()) as raw:
            raw.settimeout(PATIENCE)
            while raw.recv(65536):
                pass
        assert server.connections() == 0
    assert "internal" not in server.log


def test_several_threads(build: SimpleNamespace, pki: Pki) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/stream":
            return (b"x" * 65536 for _ in range(64))
        return [b"hello"]

    with serving(build, app, threads=4, **pki.settings) as server:
        with pki.connect(server.address, receive_buffer=4096) as slow, pki.connect(server.address) as quick:
            slow.send(request(target="/stream"))
            for _ in range(50):
                assert quick.send(GET).answer().body == b"hello"
            assert slow.answer().body == b"x" * 65536 * 64
            assert slow.send(GET).answer().body == b"hello"


def test_a_request_past_its_time_gets_504(build: SimpleNamespace, pki: Pki) -> None:
    gate = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/wait":
            gate.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"hello"]

    with serving(build, app, threads=2, timeout=0.2, **pki.settings) as server:
        with pki.connect(server.address) as client:
            assert client.send(request(target="/wait")).answer().status == 504
            assert client.rest() == b""
            assert client.end == "closed"
        gate.set()
        with pki.connect(server.address) as client:
            assert client.send(GET).answer().body == b"hello"


def test_a_unix_socket_speaks_tls_too(build: SimpleNamespace, pki: Pki, tmp_path: Any) -> None:
    with serving(build, HELLO, bind=[f"unix:{tmp_path}/s"], **pki.settings) as server:
        with pki.connect(f"{tmp_path}/s") as client:
            assert client.send(GET).answer().body == b"hello"
        del server


# Clients that people use


def test_curl_requests_and_http_client(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, HELLO, **pki.settings) as server:
        port = server.address[1]
        url = f"https://localhost:{port}/"
        command = ["curl", "-sS", "--cacert", pki.authority.certificate, url, url]
        assert subprocess.run(command, capture_output=True, timeout=PATIENCE).stdout == b"hellohello"
        with requests.Session() as session:
            session.trust_env = False
            session.verify = pki.authority.certificate
            assert [session.get(url).text for _ in range(2)] == ["hello", "hello"]
        connection = http.client.HTTPSConnection("localhost", port, context=pki.context())
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"hello"
        connection.close()


def test_an_idle_connection_is_closed_in_tls(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, HELLO, keep_alive=5, **pki.settings) as server, pki.connect(server.address) as client:
        assert client.send(GET).answer().body == b"hello"
        server.advance(6)
        assert client.rest() == b""
        assert client.end == "closed"


def test_a_late_request_is_answered_in_tls(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, HELLO, header_timeout=5, **pki.settings) as server, pki.connect(server.address) as client:
        client.send(GET[:10])
        server.advance(6)
        assert client.answer().status == 408
        assert client.rest() == b""
        assert client.end == "closed"
