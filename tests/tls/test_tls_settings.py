"""What can be wrong with the settings of TLS and their files: each gets one line, and an exit code."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fastwsgi.cli import main
from fastwsgi.mistakes import Mistake
from fastwsgi.process.certificates import Certificates
from fastwsgi.settings.settings import SettingError, Settings
from fastwsgi.settings.sources import Sources
from tests.helpers.pki import EC, Pki, openssl


def mistake(**settings: Any) -> str:
    """The line about these settings."""
    with pytest.raises(Mistake) as caught:
        Certificates(Settings(**settings))
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.exit_code == 2
    return line


def test_the_files_that_work(pki: Pki, tmp_path: Path) -> None:
    assert Certificates(Settings()).tls is None
    assert Certificates(Settings(**pki.settings)).scheme == "https"
    both = tmp_path / "both.pem"
    both.write_bytes(Path(pki.pair[1]).read_bytes() + Path(pki.pair[0]).read_bytes())
    assert len(Certificates(Settings(certfile=str(both))).tls.contexts) == 1
    two = Settings(certfile=[pki.pair[0], pki.rsa[0]], keyfile=[pki.pair[1], pki.rsa[1]])
    assert len(Certificates(two).tls.contexts) == 2


def test_relative_paths_are_those_of_the_start(pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, path in zip(("cert.pem", "key.pem"), pki.pair):
        Path(name).write_bytes(Path(path).read_bytes())
    certificates = Certificates(Settings(certfile="cert.pem", keyfile="key.pem"))
    monkeypatch.chdir("/")
    for name, path in zip(("cert.pem", "key.pem"), pki.rsa):
        (tmp_path / name).write_bytes(Path(path).read_bytes())
    certificates.renew_if_changed(float("inf"))  # the files have to come to rest
    material = certificates.renew_if_changed(float("inf"))
    assert material is not None
    assert material.pairs[0].certificate == Path(pki.rsa[0]).read_bytes()


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"keyfile": ["k"]}, "--keyfile is for TLS, and there is no certificate: give --certfile"),
        ({"ca_certs": "c"}, "--ca-certs is for TLS, and there is no certificate: give --certfile"),
        ({"cert_reqs": "required"}, "--cert-reqs is for TLS, and there is no certificate: give --certfile"),
        ({"ssl_min_version": "tlsv1.3"}, "--ssl-min-version is for TLS, and there is no certificate: give --certfile"),
        ({"ciphers": "ECDHE+AESGCM"}, "--ciphers is for TLS, and there is no certificate: give --certfile"),
    ],
)
def test_tls_without_a_certificate(settings: dict[str, Any], line: str) -> None:
    assert mistake(**settings) == line


def test_settings_that_do_not_go_together(pki: Pki) -> None:
    pair = pki.settings
    assert mistake(certfile=[pki.pair[0]] * 2, keyfile=[pki.pair[1]]).startswith(
        "2 --certfile and 1 --keyfile: give a key for each"
    )
    assert mistake(**pair, ca_certs=pki.authority.certificate) == (
        "--ca-certs is for certificates of clients: say --cert-reqs optional or required, too"
    )
    assert mistake(**pair, cert_reqs=2) == (
        "--cert-reqs required: name the file of the authorities to trust with --ca-certs"
    )
    line = mistake(**pair, ciphers="TLS_AES_128_GCM_SHA256")
    assert line.startswith("--ciphers TLS_AES_128_GCM_SHA256: OpenSSL knows no such cipher for TLS 1.2")


def test_files_that_do_not_do(pki: Pki, tmp_path: Path) -> None:
    certificate, key = pki.pair
    text = tmp_path / "text"
    text.write_text("nothing\n")
    (tmp_path / "torn").write_text(f"{ssl.PEM_HEADER}\nAAAA\n{ssl.PEM_FOOTER}\n")
    (tmp_path / "torn.key").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    missing = f"{tmp_path}/none"
    assert mistake(certfile=[missing], keyfile=[key]) == f"--certfile {missing}: No such file or directory"
    assert mistake(certfile=[certificate], keyfile=[missing]) == f"--keyfile {missing}: No such file or directory"
    assert mistake(certfile=[str(tmp_path)]) == f"--certfile {tmp_path}: Is a directory"
    assert mistake(certfile=[str(text)], keyfile=[key]).startswith(f"--certfile {text} holds no certificate: ")
    assert mistake(certfile=[certificate], keyfile=[str(text)]) == f"{text} holds no private key in PEM"
    assert mistake(certfile=[certificate]) == f"{certificate} holds no private key in PEM: give --keyfile"
    assert mistake(certfile=[certificate], keyfile=[pki.other[1]]) == (
        f"the key in {pki.other[1]} is not that of the certificate in {certificate}"
    )
    assert mistake(certfile=[f"{tmp_path}/torn"], keyfile=[key]).startswith("the certificate in ")
    assert mistake(certfile=[certificate], keyfile=[f"{tmp_path}/torn.key"]).startswith("the certificate in ")
    wrong = {**pki.asking, "ca_certs": str(text)}
    assert mistake(**wrong) == f"--ca-certs {text} holds no certificates in PEM, or broken ones"
    assert mistake(**{**wrong, "ca_certs": missing}) == f"--ca-certs {missing}: No such file or directory"


def test_an_encrypted_key_asks_for_no_password(pki: Pki, tmp_path: Path) -> None:
    key = tmp_path / "encrypted.key"
    openssl(*EC, "-aes256", "-pass", "pass:secret", "-out", str(key))
    assert mistake(certfile=[pki.pair[0]], keyfile=[str(key)]).startswith(
        f"the key in {key} is encrypted, and nobody is asked for a password: decrypt it"
    )


def test_the_command_says_so_and_ends(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop_tls.py").write_text("def app(environ, start_response): return []\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    good = ["--certfile", pki.pair[0], "--keyfile", pki.pair[1]]
    for more in (["--check-config"], []):
        assert main(["shop_tls:app", *good[:2], *more]) == 2
        assert capsys.readouterr().err == f"fastwsgi: {pki.pair[0]} holds no private key in PEM: give --keyfile\n"
    assert main(["shop_tls:app", *good, "--bind", "127.0.0.1:0", "--check-config"]) == 0


@pytest.mark.parametrize(
    ("given", "read"),
    [(0, "none"), (1, "optional"), ("2", "required"), ("OPTIONAL", "optional"), (ssl.CERT_REQUIRED, "required")],
)
def test_cert_reqs_is_a_word_or_a_number(given: Any, read: str) -> None:
    assert Settings(cert_reqs=given).cert_reqs == read


@pytest.mark.parametrize("given", [3, -1, "all", None, True])
def test_cert_reqs_is_nothing_else(given: Any) -> None:
    with pytest.raises(SettingError, match="none, optional or required"):
        Settings(cert_reqs=given)


def test_gunicorns_file(pki: Pki, tmp_path: Path) -> None:
    path = tmp_path / "gunicorn.conf.py"
    path.write_text(
        f"import ssl\ncertfile = {pki.pair[0]!r}\nkeyfile = {pki.pair[1]!r}\nca_certs = {pki.authority.certificate!r}\n"
        "cert_reqs = ssl.CERT_OPTIONAL\nciphers = None\ndo_handshake_on_connect = True\nssl_version = 'TLS'\n"
    )
    found = Sources({}, None, path.name, str(tmp_path)).read({})
    settings = found.settings
    assert (settings.certfile, settings.keyfile, settings.cert_reqs) == ([pki.pair[0]], [pki.pair[1]], "optional")
    assert Certificates(settings).tls is not None
    assert any("ssl_version (not needed" in line for line in found.notices)


def test_without_tls_ssl_is_not_imported() -> None:
    """It costs start-up time, and memory in each worker."""
    code = "import sys; from fastwsgi.process import single, supervisor, worker; print('ssl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout == "False\n", done.stderr


