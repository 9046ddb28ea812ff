"""What is read of certificates and ClientHellos, and how files of TLS are watched and renewed."""

from __future__ import annotations

import itertools
import os
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastwsgi.mistakes import Mistake
from fastwsgi.settings.settings import Settings
from fastwsgi.tls import files as tls_files
from fastwsgi.tls import x509
from fastwsgi.tls.client_hello import MOST_BYTES, is_http, is_record
from fastwsgi.tls.contexts import Tls
from fastwsgi.tls.environ import distinguished_name
from fastwsgi.tls.files import Watch
from tests.conftest import both_builds, without_compiled
from tests.helpers.pki import Pki, client_hello
from tests.helpers.tls_memory import handshaken

# Certificates


def leaf(pair: tuple[str, str]) -> bytes:
    """The certificate in DER."""
    return x509.first_certificate(Path(pair[0]).read_bytes())


def test_hosts_of_a_certificate(pki: Pki) -> None:
    assert x509.hosts(leaf(pki.pair)) == ["localhost"]
    assert x509.hosts(leaf(pki.other)) == ["other.example", "*.wild.example"]
    assert x509.hosts(leaf(pki.named)) == ["named.example"]


def test_the_end_of_a_certificate_is_found(pki: Pki) -> None:
    """As OpenSSL prints it."""
    path = pki.pair[0]
    printed = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-enddate"], capture_output=True, text=True)
    end = ssl.cert_time_to_seconds(printed.stdout.strip().partition("=")[2])
    certificate = leaf(pki.pair)
    assert x509.not_after(certificate) == end
    assert Tls(Settings(**pki.settings)).ends == [("localhost", end)]
    for cut in range(len(certificate)):
        assert x509.not_after(certificate[:cut]) == 0


@pytest.mark.parametrize(
    ("tag", "text", "seconds"),
    [
        (0x17, b"700101000001Z", 1),
        (0x17, b"491231235959Z", 2524607999),
        (0x18, b"20500101000000Z", 2524608000),
        (0x18, b"20500101000000+0100", 0),
        (0x17, b"701301000001Z", 0),
    ],
)
def test_both_forms_of_times(tag: int, text: bytes, seconds: int) -> None:
    """RFC 5280 4.1.2.5."""

    def element(kind: int, content: bytes) -> bytes:
        return bytes([kind, len(content)]) + content

    validity = element(0x30, element(0x17, b"700101000000Z") + element(tag, text))
    empty = element(0x30, b"")
    fields = [element(0x02, b"1"), empty, empty, validity, empty, empty]
    assert x509.not_after(element(0x30, element(0x30, b"".join(fields)))) == seconds


def test_the_kind_of_a_key(pki: Pki) -> None:
    assert x509.key_kind(leaf(pki.pair)) == x509.key_kind(leaf(pki.other)) != b""
    assert x509.key_kind(leaf(pki.rsa)) not in (x509.key_kind(leaf(pki.pair)), b"")


def test_text_around_a_certificate_does_no_harm(pki: Pki) -> None:
    pem = Path(pki.pair[0]).read_bytes().replace(b"\n", b"\r\n")
    pem = b"subject=...\r\n" + pem + b"-----BEGIN CERTIFICATE-----\nx"
    assert x509.first_certificate(pem) == leaf(pki.pair)
    assert x509.first_certificate(b"nothing") == b""


def test_a_torn_certificate_has_no_hosts(pki: Pki) -> None:
    whole = leaf(pki.other)
    for end in range(len(whole)):
        assert x509.hosts(whole[:end]) == []
        assert x509.key_kind(whole[:end]) == b""


@given(st.data())
def test_no_bytes_are_beyond_the_reader(pki: Pki, data: st.DataObject) -> None:
    der = bytearray(leaf(pki.other))
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    assert all(isinstance(host, str) and host.isascii() for host in x509.hosts(bytes(der)))
    assert isinstance(x509.key_kind(bytes(der)), bytes)


def test_distinguished_names() -> None:
    organization = (("organizationName", ' a,b+c"d\\e<f>g;h '),)
    name = ((("countryName", "DE"),), organization, (("commonName", "#1\n"), ("1.2.3", "x")))
    assert distinguished_name(name) == r'CN=\#1\0A+1.2.3=x,O=\ a\,b\+c\"d\\e\<f\>g\;h\ ,C=DE'


# ClientHellos


def test_the_name_in_a_hello(build: SimpleNamespace) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    hello = client_hello(context, "WWW.Example.org")
    assert is_record(hello)
    assert not is_http(hello)
    assert build.client_hello.server_name(hello) == "www.example.org"
    for end in range(len(hello)):
        assert build.client_hello.server_name(hello[:end]) is None, end
    context.check_hostname = False
    assert build.client_hello.server_name(client_hello(context, None)) == ""


def in_records(hello: bytes, size: int) -> bytes:
    """The same message, in records of *size* bytes."""
    message = hello[5:]
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


def test_a_hello_in_several_records(build: SimpleNamespace) -> None:
    hello = client_hello(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "www.example.org")
    assert build.client_hello.server_name(in_records(hello, 300)) == "www.example.org"
    assert build.client_hello.server_name(in_records(hello, 300)[:-1]) is None
    assert build.client_hello.server_name(in_records(hello, 1)) == ""  # left to OpenSSL, which takes it


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\0\0",  # an empty record
        b"\x16\x03\x01\xff\xff",  # one that is too long
        b"\x16\x03\x01\0\x01\x02",  # another message
        b"\x16\x03\x01\0\x04\x01\xff\xff\xff",  # a message that is too long
        b"\x16\x03\x01\0\x01\x01\x17\x03\x03\0\x01\0",  # another record within the message
        b"\x16\x03\x01\0\x04\x01\0\0\0",  # nothing in it
    ],
)
def test_what_is_no_hello_names_nobody(build: SimpleNamespace, data: bytes) -> None:
    assert build.client_hello.server_name(data) == ""


@pytest.mark.skipif(without_compiled(), reason="told to run without the compiled build")
@given(st.binary(max_size=300), st.integers(0, 600))
def test_no_bytes_are_beyond_the_reader_of_hellos(noise: bytes, at: int) -> None:
    hello = bytearray(client_hello(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "www.example.org"))
    hello[at : at + len(noise)] = noise
    compiled, pure = (build.client_hello.server_name for build in both_builds())
    name = pure(bytes(hello))
    assert name is None or (name.isascii() and len(name) < 254)
    assert compiled(bytes(hello)) == name
    long = b"\x16\x03\x01\x40\x00" + bytes(hello) * 100
    assert compiled(long) == pure(long) in ("", "www.example.org")


def test_a_hello_is_not_waited_for_without_end(build: SimpleNamespace) -> None:
    record = b"\x16\x03\x01\x40\x00\x01\x00\x3f\xff" + b"x" * (MOST_BYTES - 4)
    assert build.client_hello.server_name(record[:-1]) is None
    assert build.client_hello.server_name(record * 2) is not None


# Files


def test_a_watch_waits_until_files_rest(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for path in (first, second):
        path.write_text("old")
    watch = Watch([str(first), str(second)])
    assert [watch.look(), watch.look()] == [False, False]
    first.write_text("newer")
    assert watch.look() is False  # seen, and perhaps not all of it
    second.write_text("newer")
    assert [watch.look(), watch.look(), watch.look()] == [False, True, False]
    os.unlink(second)
    assert [watch.look(), watch.look()] == [False, True]
    second.write_text("newer")
    assert [watch.look(), watch.look()] == [False, True]


def test_material_goes_through_a_line(pki: Pki) -> None:
    material = tls_files.read(Settings(**pki.asking))
    line = tls_files.encode(material)
    assert "\n" not in line
    assert tls_files.decode(line) == material


def settings_of(pki: Pki, directory: Path) -> Settings:
    """Of a server whose files are copies."""
    for source, name in zip(pki.pair, ("c.pem", "k.pem")):
        (directory / name).write_bytes(Path(source).read_bytes())
    return Settings(certfile=f"{directory}/c.pem", keyfile=f"{directory}/k.pem")


def test_a_renewed_certificate_leaves_the_context_and_its_tickets(pki: Pki, tmp_path: Path) -> None:
    settings = settings_of(pki, tmp_path)
    tls = Tls(settings)
    before = tls.choose("")
    tls.renew(tls_files.read(Settings(certfile=pki.other[0], keyfile=pki.other[1])))
    assert tls.choose("x.wild.example") is tls.choose("") is before
    tls.renew(tls_files.read(Settings(certfile=pki.rsa[0], keyfile=pki.rsa[1])))
    assert tls.choose("") is not before  # else both certificates would be in it


def test_loops_shake_hands_during_renewals(pki: Pki, tmp_path: Path) -> None:
    """Each client gets one certificate or the other, with the key that belongs to it; some would get no cipher."""
    tls = Tls(settings_of(pki, tmp_path))
    material = [tls_files.read(Settings(certfile=one[0], keyfile=one[1])) for one in (pki.other, pki.pair)]

    def shake_hands(number: int) -> set[object]:
        context = pki.context()
        context.check_hostname = False
        return {handshaken(tls, context).getpeercert()["subject"] for _ in range(100)}  # type: ignore[index]

    with ThreadPoolExecutor(3) as pool:
        clients = [pool.submit(shake_hands, number) for number in range(3)]
        for new in itertools.cycle(material):
            tls.renew(new)
            if all(one.done() for one in clients):
                break
    names = set().union(*(one.result() for one in clients))
    assert names <= {((("commonName", name),),) for name in ("localhost", "ignored.example")}


def test_what_cannot_be_used_changes_nothing(pki: Pki, tmp_path: Path) -> None:
    settings = settings_of(pki, tmp_path)
    tls = Tls(settings)
    (tmp_path / "k.pem").write_bytes(Path(pki.other[1]).read_bytes())
    with pytest.raises(Mistake, match="is not that of the certificate"):
        tls.renew(tls_files.read(settings))
    assert handshake(tls, pki)["subject"] == ((("commonName", "localhost"),),)


def handshake(tls: Tls, pki: Pki) -> dict[str, object]:
    """The certificate that a client sees."""
    found = handshaken(tls, pki.context()).getpeercert()
    assert found is not None
    return found
