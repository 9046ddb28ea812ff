"""HTTP over TLS on real sockets: what a client gets, what environ says, and who is refused."""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import subprocess
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from tests.helpers.pki import Pki, client_hello
from tests.helpers.serving import GET, PATIENCE, Client, Server, answering, request, serving

HELLO = answering(b"hello")
MIB = 1 << 20


def environ_app(environ: dict[str, Any], start_response: Any) -> Any:
    """Says what environ says, line by line; for POST, how much came and its hash."""
    if environ["REQUEST_METHOD"] == "POST":
        data = environ["wsgi.input"].read()
        text = f"{len(data)} {hashlib.sha256(data).hexdigest()}"
    else:
        text = "\n".join(f"{key}={value!r}" for key, value in environ.items() if isinstance(value, str))
    start_response("200 OK", [])
    return [text.encode("latin-1")]


def entries(body: bytes) -> dict[str, str]:
    """What environ_app said."""
    return dict(line.split("=", 1) for line in body.decode("latin-1").splitlines())


# What works


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


class Noting:
    """An observer that notes whom the server has turned away."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def connection_refused(self, host: str, reason: str) -> None:
        assert host == "127.0.0.1"
        self.reasons.append(reason)

    def request_refused(self, connection: Any, refusal: Any) -> None:
        raise AssertionError(refusal)

    def tick(self) -> None:
        pass


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_and_alpn(build: SimpleNamespace, pki: Pki, version: ssl.TLSVersion) -> None:
    context = pki.context()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    with serving(build, HELLO, **pki.settings) as server, pki.connect(server.address, context) as client:
        assert client.socket.version() == version.name.replace("_", ".", 1)
        assert client.socket.selected_alpn_protocol() == "http/1.1"
        assert client.send(GET).answer().body == b"hello"


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


def s_client(server: Server, *options: str, data: bytes = b"") -> str:
    """What `openssl s_client` prints."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.address[1]}", *options]
    done = subprocess.run(command, input=data, capture_output=True, timeout=PATIENCE)
    return (done.stdout + done.stderr).decode("latin-1")


WEAK = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("-tls1", "-cipher", WEAK), "alert protocol version"),
        (("-tls1_1", "-cipher", WEAK), "alert protocol version"),
        (("-tls1_2", "-cipher", "AES128-SHA:AES128-GCM-SHA256:@SECLEVEL=0"), "handshake failure"),  # no forward secrecy
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0"), "handshake failure"),  # CBC
        (("-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"), "handshake failure"),
        (("-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"), "handshake failure"),
    ],
)
def test_what_is_old_or_weak_is_refused(
    build: SimpleNamespace, pki: Pki, options: tuple[str, ...], told: str
) -> None:
    noting = Noting()
    with serving(build, HELLO, noting, **pki.settings) as server:
        assert told in s_client(server, *options)
        assert server.connections() == 0
    assert len(noting.reasons) == 1


def test_no_compression_no_renegotiation(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, HELLO, **pki.settings) as server:
        found = s_client(server, "-tls1_2", "-comp", data=b"R\n")
        assert "Compression: NONE" in found
        assert "no renegotiation" in found


def test_a_least_version(build: SimpleNamespace, pki: Pki) -> None:
    context = pki.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(build, HELLO, ssl_min_version="TLSv1.3", **pki.settings) as server:
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            pki.connect(server.address, context)


def test_ciphers(build: SimpleNamespace, pki: Pki) -> None:
    context = pki.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(build, HELLO, ciphers="ECDHE+CHACHA20", **pki.settings) as server:
        with pki.connect(server.address, context) as client:
            assert "CHACHA20" in client.socket.cipher()[0]


# Several hosts


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("other.example", "ignored.example"),
        ("OTHER.example", "ignored.example"),
        ("any.wild.example", "ignored.example"),
        ("named.example", "named.example"),
        ("more.any.wild.example", "localhost"),
        ("wild.example", "localhost"),
        ("ignored.example", "localhost"),  # a common name beside other names does not count
        ("", "localhost"),
    ],
)
def test_the_certificate_is_that_of_the_host(build: SimpleNamespace, pki: Pki, host: str, name: str) -> None:
    pairs = (pki.pair, pki.other, pki.named)
    settings = {"certfile": [one[0] for one in pairs], "keyfile": [one[1] for one in pairs]}
    context = pki.context()
    context.check_hostname = False
    with serving(build, environ_app, **settings) as server:
        with pki.connect(server.address, context, host or None) as client:  # type: ignore[arg-type]
            subject = client.socket.getpeercert()["subject"]
            found = entries(client.send(GET).answer().body)
    assert dict(pair for part in subject for pair in part)["commonName"] == name
    assert found.get("SSL_TLS_SNI") == (repr(host.lower()) if host else None)


def test_a_name_that_is_none_disturbs_nobody(build: SimpleNamespace, pki: Pki, capfd: Any) -> None:
    context = pki.context()
    context.check_hostname = False
    with serving(build, HELLO, **pki.settings) as server:
        hello = client_hello(context, "x.example").replace(b"x.example", b"\xff.\xc3..\xe4abc")
        with server.connect() as client:
            client.send(hello)
            assert client.more()  # a ServerHello: OpenSSL does not mind
    assert capfd.readouterr().err == ""


# Certificates of clients


def test_a_client_certificate_is_in_environ(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, environ_app, **pki.asking) as server:
        with pki.connect(server.address, pki.context(pki.client)) as client:
            found = entries(client.send(GET).answer().body)
    with open(pki.client[0]) as file:
        certificate = file.read()
    told = {key[11:]: value[1:-1] for key, value in found.items() if key.startswith("SSL_CLIENT_")}
    assert told.pop("CERT").replace("\\n", "\n") == certificate
    assert told.pop("V_START").endswith(" GMT")
    assert told.pop("V_END").endswith(" GMT")
    assert int(told.pop("M_SERIAL"), 16) > 0
    assert told == {
        "VERIFY": "SUCCESS",
        "M_VERSION": "3",
        "S_DN": "CN=Zo\\xc3\\xab+UID=7,OU=two,OU=one,O=Acme\\\\, Inc.,C=DE".replace("\\xc3\\xab", "Ã«"),
        "S_DN_C": "DE",
        "S_DN_O": "Acme, Inc.",
        "S_DN_OU": "one",
        "S_DN_OU_1": "two",
        "S_DN_CN": "ZoÃ«",
        "S_DN_UID": "7",
        "I_DN": "CN=ca,O=Test",
        "I_DN_O": "Test",
        "I_DN_CN": "ca",
        "SAN_Email_0": "zoe@example.org",
        "SAN_DNS_0": "zoe.example",
    }


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("stranger", [True, False])
def test_no_certificate_or_a_strangers_is_refused_with_an_alert(
    build: SimpleNamespace, pki: Pki, version: ssl.TLSVersion, stranger: bool
) -> None:
    context = pki.context(pki.stranger if stranger else None)
    context.minimum_version = context.maximum_version = version
    noting = Noting()
    with serving(build, environ_app, noting, **pki.asking) as server:
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
            with pki.connect(server.address, context) as client:
                client.send(GET).answer()  # TLS 1.3: the client is done before the server knows
        server.settle()
    assert len(noting.reasons) == 1


def test_a_certificate_may_be_optional(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, environ_app, **{**pki.asking, "cert_reqs": "optional"}) as server:
        for client_pair, verified in ((None, "'NONE'"), (pki.client, "'SUCCESS'")):
            with pki.connect(server.address, pki.context(client_pair)) as client:
                assert entries(client.send(GET).answer().body)["SSL_CLIENT_VERIFY"] == verified


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("asking", [False, True])
def test_sessions_are_resumed(build: SimpleNamespace, pki: Pki, version: ssl.TLSVersion, asking: bool) -> None:
    context = pki.context(pki.client)
    context.minimum_version = context.maximum_version = version
    session = None
    resumed = []
    with serving(build, environ_app, **(pki.asking if asking else pki.settings)) as server:
        for _ in range(3):
            with pki.connect(server.address, context, session=session) as client:
                found = entries(client.send(GET).answer().body)
                session = client.socket.session
                assert (found["SSL_SESSION_RESUMED"] == "'Resumed'") is client.socket.session_reused
                resumed.append(client.socket.session_reused)
                assert found["SSL_CLIENT_VERIFY"] == ("'SUCCESS'" if asking else "'NONE'")
    assert resumed == [False, True, True]


# What is no TLS, or not all of it


def test_plain_http_is_told_to_use_https(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, HELLO, **pki.settings) as server:
        answer = server.ask(GET)
        assert answer.status == 400
        assert answer.body == b"400 Bad Request: this port speaks TLS: use https://\n"
        assert answer.whole
        with server.connect() as client:  # a byte is enough, and the rest is read, lest the answer be lost
            client.send(b"P")
            assert client.answer().status == 400
            client.send(b"OST / HTTP/1.1\r\n\r\n" + b"x" * 100_000).finish()
            assert client.rest() == b""
            assert client.end == "closed"


@pytest.mark.parametrize(
    "data", [b"\0" * 100, b"\x80\x2e\x01\x03\x01" + b"\0" * 60, b"\r\n\r\n", b"\x15\x03\x01\0\x02\x02\x28"]
)
def test_garbage_is_closed(build: SimpleNamespace, pki: Pki, data: bytes) -> None:
    with serving(build, HELLO, **pki.settings) as server, server.connect() as client:
        assert client.send(data).rest() == b""


def test_broken_tls_gets_an_alert(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, HELLO, **pki.settings) as server, server.connect() as client:
        found = client.send(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00").rest()
        assert found[:3] == b"\x15\x03\x03"  # an alert
        assert client.end == "closed"


def test_tls_on_a_plain_port_gets_400(build: SimpleNamespace, pki: Pki) -> None:
    with serving(build, HELLO) as server, server.connect() as client:
        assert client.send(client_hello(pki.context())).answer().status == 400
        with pytest.raises(ssl.SSLError):
            pki.connect(server.address)


def test_a_handshake_byte_by_byte(build: SimpleNamespace, pki: Pki) -> None:
    context = pki.context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with serving(build, HELLO, **pki.settings) as server, server.connect() as client:

        def go_on(step: Any) -> Any:
            while True:
                try:
                    result = step()
                except ssl.SSLWantReadError:
                    result = None
                for byte in outgoing.read():
                    client.send(bytes([byte]))
                    server.settle()
                if result is not None:
                    return result
                incoming.write(client.take(1) + bytes(client.buffer))
                client.buffer.clear()

        go_on(lambda: tls.do_handshake() or True)
        tls.write(GET)
        assert go_on(lambda: tls.read(65536)).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("begun", [0, 1, 50, 10_000])
def test_a_handshake_has_a_deadline(build: SimpleNamespace, pki: Pki, threads: int, begun: int) -> None:
    """Silent, in the middle of the ClientHello, and after it: ended without an answer, however it dribbles."""
    with serving(build, HELLO, threads=threads, header_timeout=5, **pki.settings) as server:
        with server.connect() as client:
            client.send(client_hello(pki.context())[:begun])
            if begun == 10_000:
                assert client.more()  # the answer of the server
                client.buffer.clear()
            assert server.connections() == 1
            server.advance(3)
            assert server.connections() == 1
            client.send(b"\x16")
            server.advance(3)
            assert client.rest() == b""
            assert server.connections() == 0


def test_resets_at_every_point_of_the_handshake(build: SimpleNamespace, pki: Pki) -> None:
    hello = client_hello(pki.context())
    with serving(build, HELLO, **pki.settings) as server:
        for count in (0, 1, 5, 6, 60, len(hello) - 1, len(hello)):
            for end in (Client.reset, lambda client: client.finish().rest()):
                client = server.connect()
                client.send(hello[:count])
                server.settle()
                end(client)
                client.socket.close()
        with pki.connect(server.address) as client:
            client.reset()
        with pki.connect(server.address) as client:
            client.send(GET)
            client.reset()
        assert server.connections() == 0
        with pki.connect(server.address) as client:
            assert client.send(GET).answer().body == b"hello"


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


def test_a_handshake_under_way_is_finished_when_the_server_stops(build: SimpleNamespace, pki: Pki) -> None:
    context = pki.context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with serving(build, HELLO, **pki.settings) as server, server.connect() as client:
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        client.send(outgoing.read())
        server.connections()
        server.stop()
        client.more()
        incoming.write(client.take(len(client.buffer)))
        tls.do_handshake()
        tls.write(GET)
        client.send(outgoing.read())
        incoming.write(client.rest())
        answer = tls.read(65536)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"Connection: close" in answer


def test_failures_are_told_to_the_observer(build: SimpleNamespace, pki: Pki) -> None:
    noting = Noting()
    with serving(build, HELLO, noting, **pki.settings) as server:
        for sent in (b"\0", b"", b"\x16\x03", b"\0"):  # who connects and says nothing checks health, say
            with server.connect() as client:
                client.send(sent).finish().rest()
    assert noting.reasons == ["TLS: not TLS", "TLS: the client has closed the connection", "TLS: not TLS"]
