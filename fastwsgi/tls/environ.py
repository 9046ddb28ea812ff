"""The entries of environ for a TLS connection and its client's certificate, under the names of Apache's mod_ssl.

Distinguished names are written as mod_ssl writes them by default: by RFC 2253, the last component first. Text is UTF-8
as latin-1 characters, like all of environ (PEP 3333, "Unicode Issues").
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

# Names of components: in the ssl module, in a distinguished name, and in mod_ssl's SSL_CLIENT_S_DN_*
COMPONENTS = {
    "commonName": ("CN", "CN"),
    "countryName": ("C", "C"),
    "stateOrProvinceName": ("ST", "ST"),
    "localityName": ("L", "L"),
    "organizationName": ("O", "O"),
    "organizationalUnitName": ("OU", "OU"),
    "title": ("title", "T"),
    "initials": ("initials", "I"),
    "givenName": ("GN", "G"),
    "surname": ("SN", "S"),
    "description": ("description", "D"),
    "userId": ("UID", "UID"),
    "emailAddress": ("emailAddress", "Email"),
    "domainComponent": ("DC", "DC"),
    "serialNumber": ("serialNumber", ""),
}
_SPECIAL = re.compile(r'[,+"\\<>;]|^[ #]| $')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Name = Iterable[Iterable[tuple[str, str]]]  # as getpeercert() gives it: sets of pairs, in the order of the certificate


def describe(tls_object: ssl.SSLObject, host: str) -> dict[str, str]:
    """The entries of environ that describe a connection, except for those of Tls.ENVIRON that are right already.

    Args:
        tls_object: an SSLObject or what is inside it; its handshake is over.
        host: the one that the client asked for, "" if it named none.
    """
    cipher = tls_object.cipher()
    entries = {
        "SSL_PROTOCOL": tls_object.version() or "",
        "SSL_CIPHER": cipher[0] if cipher else "",
        "SSL_SESSION_RESUMED": "Resumed" if tls_object.session_reused else "Initial",
    }
    if host:
        entries["SSL_TLS_SNI"] = host
    encoded = tls_object.getpeercert(True)  # in DER
    if encoded:
        entries.update(_client(tls_object.getpeercert() or {}, encoded))
    return entries


def _client(certificate: Mapping[str, Any], encoded: bytes) -> dict[str, str]:
    """The entries for the verified certificate of a client."""
    return {
        "SSL_CLIENT_VERIFY": "SUCCESS",
        "SSL_CLIENT_M_VERSION": str(certificate["version"]),
        "SSL_CLIENT_M_SERIAL": certificate["serialNumber"],
        "SSL_CLIENT_V_START": certificate["notBefore"],
        "SSL_CLIENT_V_END": certificate["notAfter"],
        "SSL_CLIENT_CERT": ssl.DER_cert_to_PEM_cert(encoded),
        **_name("SSL_CLIENT_S_DN", certificate.get("subject", ())),
        **_name("SSL_CLIENT_I_DN", certificate.get("issuer", ())),
        **_alternatives(certificate.get("subjectAltName", ())),
    }


def _name(key: str, name: Name) -> dict[str, str]:
    """A distinguished name, whole and in components: the first of a kind has no number, those after it _1, _2."""
    entries = {key: distinguished_name(name)}
    for part in name:
        for kind, value in part:
            _, suffix = COMPONENTS.get(kind, ("", ""))
            if suffix:
                taken = sum(1 for one in entries if re.fullmatch(rf"{key}_{suffix}(_[0-9]+)?", one))
                entries[f"{key}_{suffix}{f'_{taken}' if taken else ''}"] = _native(value)
    return entries


def distinguished_name(name: Name) -> str:
    """*name* in the form of RFC 2253."""
    parts = ["+".join(f"{COMPONENTS.get(kind, (kind,))[0]}={_escape(value)}" for kind, value in part) for part in name]
    return _native(",".join(reversed(parts)))


def _escape(value: str) -> str:
    """RFC 2253 2.4."""
    escaped = _SPECIAL.sub(lambda found: f"\\{found[0]}", value)
    return _CONTROL.sub(lambda found: f"\\{ord(found[0]):02X}", escaped)


def _alternatives(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The e-mail addresses and hosts that a certificate is for, numbered from 0."""
    entries: dict[str, str] = {}
    for kind, key in (("email", "SSL_CLIENT_SAN_Email"), ("DNS", "SSL_CLIENT_SAN_DNS")):
        found = [value for one, value in names if one == kind]
        entries.update((f"{key}_{number}", _native(value)) for number, value in enumerate(found))
    return entries


def _native(text: str) -> str:
    """*text* as PEP 3333 wants it."""
    return text.encode("utf-8", "replace").decode("latin-1")
