"""gunicorn's ssl_context: contexts that a function of the user's makes, mostly by changing ours."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from fastwsgi.gunicorn.cfg import Cfg
from fastwsgi.mistakes import Mistake
from fastwsgi.process.certificates import Certificates
from fastwsgi.settings.settings import Settings
from fastwsgi.settings.sources import Sources
from fastwsgi.tls import files as tls_files
from tests.helpers.deployments import deployed
from tests.helpers.pki import Pki
from tests.helpers.serving import GET, answering, request
from tests.helpers.tls_memory import TlsBench, handshaken

Default = Callable[[], ssl.SSLContext]


def only_new(default: Default) -> ssl.SSLContext:
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def agreed(certificates: Certificates, pki: Pki, most: ssl.TLSVersion, host: str = "localhost") -> tuple[Any, ...]:
    """What a handshake in memory agrees on: version, protocol, and the name in the certificate."""
    assert certificates.tls is not None
    context = pki.context()
    context.check_hostname, context.maximum_version = False, most
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = handshaken(certificates.tls, context, host)
    names = client.getpeercert()["subjectAltName"]  # type: ignore[index]
    return client.version(), client.selected_alpn_protocol(), names[0][1]


def test_it_counts_only_with_a_certificate() -> None:
    assert Certificates(Settings(), lambda default: 1 / 0).tls is None  # type: ignore[arg-type,return-value]


def test_what_it_changes_holds_but_for_the_protocols_that_are_not_spoken(pki: Pki) -> None:
    certificates = Certificates(Settings(**pki.settings), only_new)
    assert agreed(certificates, pki, ssl.TLSVersion.TLSv1_3) == ("TLSv1.3", "http/1.1", "localhost")
    with pytest.raises(ssl.SSLError):
        agreed(certificates, pki, ssl.TLSVersion.TLSv1_2)


def test_its_callbacks_get_the_object_of_the_connection(build: SimpleNamespace, pki: Pki) -> None:
    """It lives as long as the connection, though only what is inside it is called."""
    asked: list[tuple[Any, str | None]] = []
    bench = TlsBench(build, answering(b"hello"), pki)
    for context in bench.tls.contexts:
        context.sni_callback = lambda tls_object, host, context: asked.append((type(tls_object), host))
    client = bench.connect(GET)
    client.end()
    client.socket.close()
    assert [one.body for one in client.responses()] == [b"hello"]
    assert asked == [(ssl.SSLObject, "localhost")]


def test_each_host_has_its_context_and_renewal_asks_anew(pki: Pki) -> None:
    asked: list[ssl.SSLContext] = []

    def make(default: Default) -> ssl.SSLContext:
        asked.append(only_new(default))
        return asked[-1]

    both = Settings(certfile=[pki.pair[0], pki.other[0]], keyfile=[pki.pair[1], pki.other[1]])
    certificates = Certificates(both, make)
    assert agreed(certificates, pki, ssl.TLSVersion.TLSv1_3, "x.wild.example")[2] == "Other.example"
    assert certificates.tls is not None
    certificates.tls.renew(tls_files.read(both))
    assert certificates.tls.contexts == asked[2:]
    assert agreed(certificates, pki, ssl.TLSVersion.TLSv1_3)[2] == "localhost"


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda default: None, "ssl_context has returned None: return what default_ssl_context_factory() makes"),
        (lambda default: ssl.create_default_context(), "the context of ssl_context cannot serve, make it for CLIENT"),
    ],
)
def test_what_is_no_context_for_a_server_is_a_mistake(pki: Pki, make: Any, line: str) -> None:
    with pytest.raises(Mistake) as caught:
        Certificates(Settings(**pki.settings), make)
    assert str(caught.value).startswith(line)


def test_a_file_of_gunicorns(pki: Pki, tmp_path: Path) -> None:
    lines = [
        "import ssl",
        f"certfile, keyfile = {pki.pair!r}",
        "def ssl_context(config, factory):",
        "    assert (config.certfile, config.cert_reqs, config.is_ssl) == (certfile, ssl.CERT_NONE, True)",
        "    context = factory()",
        "    context.minimum_version = ssl.TLSVersion.TLSv1_3",
        "    return context",
    ]
    (tmp_path / "g.py").write_text("\n".join(lines))
    found = Sources({}, "shop", "g.py", str(tmp_path)).read({})
    certificates = Certificates(found.settings, found.hooks.context_maker(Cfg(found.settings)))
    assert agreed(certificates, pki, ssl.TLSVersion.TLSv1_3)[0] == "TLSv1.3"
    (tmp_path / "g.py").write_text("\n".join([*lines[:4], "    return nonsense"]))
    found = Sources({}, "shop", "g.py", str(tmp_path)).read({})
    with pytest.raises(Mistake, match=r"^g\.py: ssl_context failed: NameError: ") as caught:
        Certificates(found.settings, found.hooks.context_maker(Cfg(found.settings)))
    assert "return nonsense" in caught.value.details


@pytest.mark.parametrize("backend", ["c", "py"])
def test_workers_serve_with_it(pki: Pki, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONLY_NEW_TLS", "1")
    with deployed(tmp_path, backend, workers=1, **pki.settings) as server:
        context = pki.context()
        context.check_hostname = False
        with pki.connect(server.address, context) as client:
            assert client.send(request()).answer().body == b"one"
            assert client.socket.version() == "TLSv1.3"
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            pki.connect(server.address, context)
