"""TLS as the settings ask for it: the contexts, the hosts that each is for, and their renewal.

The contexts are made before workers are forked. So workers without privileges serve with a key that only root may
read, and all have the same keys for session tickets: a session begun with one can be resumed with another.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Callable

from fastwsgi.mistakes import Mistake, UsageError, WrongValue
from fastwsgi.originals import threading
from fastwsgi.tls import environ as tls_environ
from fastwsgi.tls import files as tls_files
from fastwsgi.tls import x509
from fastwsgi.tls.files import Material, Pair

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
VERIFICATION = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
# No renegotiation, by which clients cause work; no compression (CRIME); forward secrecy for each connection
OPTIONS = (
    ssl.OP_NO_RENEGOTIATION
    | ssl.OP_NO_COMPRESSION
    | ssl.OP_SINGLE_DH_USE
    | ssl.OP_SINGLE_ECDH_USE
)
ContextMaker = Callable[[Callable[[], ssl.SSLContext]], ssl.SSLContext]
"""Makes a context, and is given a function that makes it as the settings ask for it; it may raise Mistake."""
TICKETS = 1  # sent at the start of a TLS 1.3 connection; each costs as much as a request, and resuming gives another


class Tls:
    """What the TLS connections of a server share.

    Attributes:
        ends: the name of each certificate, and when it ends in seconds since 1970.
        ENVIRON: what every environ has before describe() adds the facts of its connection.

    Args:
        settings: certfile, keyfile, ca_certs, cert_reqs, ssl_min_version and ciphers are read.
        material: the contents of the files, which are read if it is not given.
        maker: makes the contexts, if the user has a function for that.

    Raises:
        Mistake: a file cannot be read, or OpenSSL cannot use its contents.
    """

    ENVIRON = {
        "wsgi.url_scheme": "https",
        "HTTPS": "on",
        "SSL_PROTOCOL": "",
        "SSL_CIPHER": "",
        "SSL_SESSION_RESUMED": "",
        "SSL_CLIENT_VERIFY": "NONE",
    }
    describe = staticmethod(tls_environ.describe)

    def __init__(
        self, settings: Settings, material: Material | None = None, maker: ContextMaker | None = None
    ) -> None:
        self.settings = settings
        self._maker = maker
        self._lock = threading.Lock()  # OpenSSL must not copy from a context what renew() replaces there
        material = material or tls_files.read(settings)
        self.contexts = [self._new_context(material, number) for number in range(len(material.pairs))]
        self._kinds: list[bytes] = []
        self.ends: list[tuple[str, int]] = []
        self._authorities = material.authorities
        self._take_names(material)

    def _new_context(self, material: Material, number: int) -> ssl.SSLContext:
        if self._maker is None:
            return _make_context(self.settings, material, number)
        made = self._maker(lambda: _make_context(self.settings, material, number))
        return checked(made)

    def _take_names(self, material: Material) -> None:
        """Note the context of each host; of several for the same host, the first counts."""
        leaves = [x509.first_certificate(pair.certificate) for pair in material.pairs]
        self._kinds = [x509.key_kind(leaf) for leaf in leaves]
        names = [(x509.hosts(leaf) or [path])[0] for leaf, path in zip(leaves, self.settings.certfile)]
        self.ends = list(zip(names, map(x509.not_after, leaves)))
        self._hosts: dict[str, ssl.SSLContext] = {}
        for leaf, context in zip(leaves, self.contexts):
            for host in x509.hosts(leaf):
                self._hosts.setdefault(host, context)

    def choose(self, host: str) -> ssl.SSLContext:
        """The context for a host (lower case): by its name, or by a wildcard for its first label, or else the first."""
        found = self._hosts.get(host)
        if found is None and len(self.contexts) > 1:
            found = self._hosts.get(f"*.{host.partition('.')[2]}")
        return found or self.contexts[0]

    def wrap(self, host: str) -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
        """The TLS object of a new connection for *host*, with the buffers that take and give ciphertext."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with self._lock:
            return self.choose(host).wrap_bio(incoming, outgoing, server_side=True), incoming, outgoing

    def renew(self, material: Material) -> None:
        """Use new certificates and keys for connections from now on; handshakes may run meanwhile.

        A context that can replace its certificate is kept, with its keys for tickets. It is made anew if the key is of
        another kind, which would be added beside the old one, or if client authorities have changed, which can be added
        to a context but not removed. The user's own maker is asked anew each time, as what it adds may have changed.

        Raises:
            Mistake: *material* cannot be used; nothing has changed.
        """
        new = Tls(self.settings, material, self._maker)
        with self._lock:
            if self._maker is None and self._kinds == new._kinds and self._authorities == new._authorities:
                for context, pair in zip(self.contexts, material.pairs):
                    _load(context, pair, self.settings, 0)
                new.contexts = self.contexts
                new._take_names(material)
            self.contexts, self._hosts, self._kinds = new.contexts, new._hosts, new._kinds
            self._authorities, self.ends = new._authorities, new.ends


def _make_context(settings: Settings, material: Material, number: int) -> ssl.SSLContext:
    """The context of the pair *number*. Raises Mistake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[settings.ssl_min_version]
    context.options |= OPTIONS
    context.num_tickets = TICKETS
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.set_ciphers(settings.ciphers or "")
    except ssl.SSLError:
        raise WrongValue(
            "--ciphers",
            f"{settings.ciphers}: OpenSSL knows no such cipher for TLS 1.2 (those of TLS 1.3 are fixed)",
        ) from None
    _choose_order(context)
    _load(context, material.pairs[number], settings, number)
    if material.authorities:
        _load_authorities(context, material.authorities, settings)
    context.verify_mode = VERIFICATION[settings.cert_reqs]
    return context


def _choose_order(context: ssl.SSLContext) -> None:
    """Have the client's order of ciphers count where none is weak, else ours, which Python's default is.

    A client knows what its processor does fast. Browsers put AES-128 with SHA-256 first, which spares a handshake an
    eighth of its instructions; OpenSSL's own order begins with SHA-384, for which processors have no instructions.
    """
    if all(cipher["aead"] for cipher in context.get_ciphers()):
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE


def checked(context: object) -> ssl.SSLContext:
    """*context*, if it can serve; only HTTP/1.1 is offered with it. Raises Mistake."""
    if not isinstance(context, ssl.SSLContext):
        raise Mistake(f"ssl_context has returned {context!r}: return what default_ssl_context_factory() makes")
    try:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    except (ssl.SSLError, ValueError) as error:
        raise Mistake(f"the context of ssl_context cannot serve, make it for CLIENT_AUTH: {error}") from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, pair: Pair, settings: Settings, number: int) -> None:
    """Give a context its certificate and key. Raises Mistake."""
    name = settings.certfile[number]
    key = settings.keyfile[number] if settings.keyfile else name
    if not x509.first_certificate(pair.certificate):
        raise WrongValue(
            "--certfile", f"{name} holds no certificate: it must be in PEM, with -----BEGIN CERTIFICATE-----"
        )
    if b"PRIVATE KEY-----" not in pair.key:
        raise UsageError(f"{key} holds no private key in PEM" + ("" if settings.keyfile else ": give --keyfile"))
    try:
        with tls_files.as_file(pair.certificate) as certificate_path, tls_files.as_file(pair.key) as key_path:
            context.load_cert_chain(certificate_path, key_path, _refuse_password)
    except _Encrypted:
        raise UsageError(
            f"the key in {key} is encrypted, and nobody is asked for a password: "
            "decrypt it, as with openssl pkey -in KEY -out KEY.plain"
        ) from None
    except ssl.SSLError as error:
        raise UsageError(_explain(error, name, key)) from None


def _explain(error: ssl.SSLError, name: str, key: str) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key in {key} is not that of the certificate in {name}"
    reason = (error.reason or "").replace("_", " ").lower()
    return f"the certificate in {name} or the key in {key} cannot be used: {reason or 'OpenSSL does not say why'}"


def _load_authorities(context: ssl.SSLContext, pem: bytes, settings: Settings) -> None:
    """Accept client certificates that these authorities have signed. Raises Mistake."""
    try:
        with tls_files.as_file(pem) as path:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise WrongValue("--ca-certs", f"{settings.ca_certs} holds no certificates in PEM, or broken ones") from None


class _Encrypted(Exception):
    pass


def _refuse_password() -> str:
    """The callback for a key's password; without it OpenSSL would ask at the terminal, and wait."""
    raise _Encrypted
