"""Certificates for the tests of TLS, made by the command openssl once a session, and clients that trust them."""

from __future__ import annotations

import ssl
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.helpers.serving import PATIENCE, Client

EC = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1")
RSA = ("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")


def openssl(*arguments: str) -> None:
    """Run openssl."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


class Authority:
    """An authority, and what it has signed, in a directory."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self.directory = directory
        self.key, self.certificate = str(directory / f"{name}.key"), str(directory / f"{name}.pem")
        openssl(*EC, "-out", self.key)
        # Python 3.13 wants the use of an authority's key said
        extensions = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
        subject = ("-subj", f"/O=Test/CN={name}", "-addext", extensions[0], "-addext", extensions[1])
        openssl("req", "-x509", "-new", "-key", self.key, "-days", "30", "-out", self.certificate, *subject)

    def sign(self, name: str, subject: str, extensions: str, kind: tuple[str, ...] = EC) -> tuple[str, str]:
        """A certificate and its key: their paths."""
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        request, wanted = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        wanted.write_text(extensions)
        openssl(*kind, "-out", str(key))
        openssl("req", "-new", "-utf8", "-key", str(key), "-subj", subject, "-out", str(request))
        signed = ("-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", "30")
        openssl("x509", "-req", "-in", str(request), *signed, "-extfile", str(wanted), "-out", str(certificate))
        return str(certificate), str(key)


class Pki:
    """An authority, with certificates for localhost, for other hosts, and for a client; and another authority."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority(directory)
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        self.pair = self.authority.sign("localhost", "/CN=localhost", names)
        self.rsa = self.authority.sign("rsa", "/CN=localhost", names, RSA)
        self.other = self.authority.sign(
            "other", "/CN=ignored.example", "subjectAltName=DNS:Other.example,DNS:*.wild.example"
        )
        self.named = self.authority.sign("named", "/O=Test/CN=named.example", "keyUsage=digitalSignature")
        self.client = self.authority.sign(
            "client",
            "/C=DE/O=Acme, Inc./OU=one/OU=two/CN=Zoë+UID=7",
            "subjectAltName=email:zoe@example.org,DNS:zoe.example\nextendedKeyUsage=clientAuth",
        )
        self.stranger = Authority(directory, "stranger").sign("foreign", "/CN=foreign", "extendedKeyUsage=clientAuth")

    @property
    def settings(self) -> dict[str, Any]:
        """Of a server for localhost."""
        return {"certfile": [self.pair[0]], "keyfile": [self.pair[1]]}

    @property
    def asking(self) -> dict[str, Any]:
        """Of one that wants certificates of its clients."""
        return {**self.settings, "ca_certs": self.authority.certificate, "cert_reqs": "required"}

    def context(self, client: tuple[str, str] | None = None) -> ssl.SSLContext:
        """That of a client, perhaps with a certificate of its own."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.authority.certificate)
        if client is not None:
            context.load_cert_chain(*client)
        return context

    def connect(
        self,
        address: Any,
        context: ssl.SSLContext | None = None,
        host: str = "localhost",
        session: ssl.SSLSession | None = None,
        receive_buffer: int = 0,
    ) -> TlsClient:
        """A connection whose handshake is over, to the server at *address* as *host*."""
        return TlsClient(address, context or self.context(), host, session, receive_buffer)


def client_hello(context: ssl.SSLContext, host: str | None = "localhost") -> bytes:
    """The first message of a client."""
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host)
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


class TlsClient(Client):
    """A Client over TLS; an end without close_notify is "cut"."""

    def __init__(
        self, address: Any, context: ssl.SSLContext, host: str, session: Any = None, receive_buffer: int = 0
    ) -> None:
        super().__init__(address, receive_buffer)
        try:
            self.socket: Any = context.wrap_socket(
                self.socket, server_hostname=host, session=session, suppress_ragged_eofs=False
            )
        except OSError:
            self.socket.close()
            raise

    def more(self, most: int = 1 << 20) -> bool:
        try:
            return super().more(most)
        except ssl.SSLEOFError:
            self.end = "cut"
            return False
