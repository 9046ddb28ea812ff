"""What the two sides of TLS agree on: version, ciphers, certificates of hosts and of clients, sessions."""

from __future__ import annotations

import ssl
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.environ_echo import entries, environ_app
from tests.helpers.observers import RefusedConnections
from tests.helpers.pki import Pki, client_hello
from tests.helpers.serving import GET, PATIENCE, Server, answering, serving

HELLO = answering(b"hello")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_and_alpn(build: SimpleNamespace, pki: Pki, version: ssl.TLSVersion) -> None:
    context = pki.context()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    with serving(build, HELLO, **pki.settings) as server, pki.connect(server.address, context) as client:
        assert client.socket.version() == version.name.replace("_", ".", 1)
        assert client.socket.selected_alpn_protocol() == "http/1.1"
        assert client.send(GET).answer().body == b"hello"


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
    observer = RefusedConnections()
    with serving(build, HELLO, observer, **pki.settings) as server:
        assert told in s_client(server, *options)
        assert server.connections() == 0
    assert len(observer.refused) == 1


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


@pytest.mark.parametrize(("ciphers", "chosen"), [(None, "AES128-GCM"), ("ECDHE+AESGCM:ECDHE+AES", "AES256-GCM")])
def test_the_client_chooses_where_no_cipher_is_weak(
    build: SimpleNamespace, pki: Pki, ciphers: str | None, chosen: str
) -> None:
    context = pki.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AES128+AESGCM:ECDHE+AES256+AESGCM")
    given = {} if ciphers is None else {"ciphers": ciphers}
    with serving(build, HELLO, **pki.settings, **given) as server, pki.connect(server.address, context) as client:
        assert chosen in client.socket.cipher()[0]


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
    observer = RefusedConnections()
    with serving(build, environ_app, observer, **pki.asking) as server:
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
            with pki.connect(server.address, context) as client:
                client.send(GET).answer()  # TLS 1.3: the client is done before the server knows
        server.settle()
    assert len(observer.refused) == 1


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
