"""The client and what it asked for, as reported by trusted proxies: http/HTTP.md, "Forwarded fields".

    X-Forwarded-For     REMOTE_ADDR, and REMOTE_PORT where a port is given
    X-Forwarded-Proto   wsgi.url_scheme and HTTPS
    X-Forwarded-Host    HTTP_HOST, SERVER_NAME and SERVER_PORT
    X-Forwarded-Port    SERVER_PORT
    X-Forwarded-Prefix  SCRIPT_NAME, which is taken off the front of PATH_INFO
    Forwarded           the first three, by its "for", "proto" and "host" (RFC 7239)

Only the fields that the operator has named are believed, and only from peers that the operator trusts: a proxy passes
on from the client any field that it does not write itself. Each proxy appends its entry to a list, so the last entries,
as many as there are proxies, are theirs, and the entries before them may be forged. The first of the proxies' entries
counts, or the first of all where there are fewer. If it is malformed, or a field that names the client is there and
empty, the request is refused with 400: if the proxy's own address took its place, a stranger would have the rights of a
machine inside the network.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import unquote_to_bytes

from fastwsgi.http.errors import HttpError
from fastwsgi.http.grammar import TOKEN_CHARS
from fastwsgi.http.head import is_host
from fastwsgi.http.peers import Trusted, spell

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

Environ = dict[str, Any]
NodeReader = Callable[[str], "tuple[str, str]"]

PEER = "fastwsgi.peer_addr"
FORWARDED = "forwarded"
NAMING_THE_CLIENT = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED")
OTHERS = "HTTP_X_FORWARDED_"  # how the keys of all non-standard forwarding fields begin

# forwarded-pair [ ";" or "," ] with blanks around both, which one step of the reader matches (RFC 7239 4)
_TOKEN = f"[{re.escape(TOKEN_CHARS.decode())}]+"
STEP = re.compile(
    rf'[ \t]*(?:(?P<name>{_TOKEN})=(?:(?P<token>{_TOKEN})|"(?P<quoted>(?:[^"\\]|\\.)*)")[ \t]*)?(?P<end>[;,]|\Z)'
)
# node (RFC 7239 6): a name, and a port that is a number or obfuscated
NODE = re.compile(r"(?P<name>\[[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]|[^:\[\]]+)(?::(?:(?P<port>[0-9]{1,5})|_[A-Za-z0-9._-]+))?")
MOST_PARAMETERS = 256  # of one Forwarded field, empty ones included
LONGEST_NODE = 128  # bytes: an obfuscated one may have any length, and nodes are cached
NAMELESS = re.compile(r"_[A-Za-z0-9._-]+|unknown", re.IGNORECASE)
BY_UNIX_SOCKET = "unix:"  # how nginx names such a client
PORT = re.compile(r"[1-9][0-9]{0,4}")
PREFIX = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+;=:@/-]|%[0-9A-Fa-f]{2})+")
# What would make a URL built from SCRIPT_NAME lead to another host or path, and controls, which could end a field line
MISLEADING = re.compile(r"//|\\|/\.\.?(?:/|\Z)|/\Z|[\0-\x1f\x7f]")


class Forwarding:
    """Which peers are believed, and which of their fields.

    Args:
        settings: forwarded_allow_ips, forwarded_headers, forwarded_hops and forwarded_untrusted are read.
        note_start: called with what a believed peer says of the time at which it got the request.
    """

    def __init__(self, settings: Settings, note_start: Callable[[str], None] = lambda value: None) -> None:
        self._note_start = note_start
        self._trusted = Trusted(settings.forwarded_allow_ips)
        self._hops = settings.forwarded_hops
        self._drops = settings.forwarded_untrusted == "drop"
        self._believed = [(key, read) for name, key, read in FIELDS if name in settings.forwarded_headers]
        self._keys = {key for key, _ in self._believed}
        self._read_node = lru_cache(maxsize=4096)(read_node)  # of its own, as a cache has a lock

    def describer(self, host: str) -> Callable[[Environ], None]:
        """The function to call with each environ of a connection from *host*, once REMOTE_ADDR is set.

        It raises HttpError for a malformed field of a trusted proxy.
        """
        return self._believe if host in self._trusted else self._ignore

    def _believe(self, environ: Environ) -> None:
        environ.setdefault(PEER, environ["REMOTE_ADDR"])
        if self._drops:
            drop_fields(environ, self._keys)
        start = environ.get("HTTP_X_REQUEST_START") or environ.get("HTTP_X_QUEUE_START")
        if start:
            self._note_start(start)
        for key, read in self._believed:
            value = environ.get(key)
            if value or (value is not None and key in NAMING_THE_CLIENT):
                read(environ, value, self._hops, self._read_node)

    def _ignore(self, environ: Environ) -> None:
        environ.setdefault(PEER, environ["REMOTE_ADDR"])
        if self._drops:
            drop_fields(environ, set())


def drop_fields(environ: Environ, kept: set[str]) -> None:
    """Remove all forwarded fields from *environ*, except for the keys *kept*."""
    for key in [key for key in environ if key.startswith(OTHERS) or key == "HTTP_FORWARDED"]:
        if key not in kept:
            del environ[key]


# Entries of lists


def choose_entry(value: str, hops: int) -> str:
    """The entry that the first of the last *hops* proxies appended; the first of all if there are fewer entries."""
    entries = value.rsplit(",", hops)
    return entries[-min(hops, len(entries))].strip(" \t")


def read_forwarded(value: str) -> list[dict[str, str]]:
    """The elements of a Forwarded field, each with its parameters by their lower-case names (RFC 7239 4).

    The whole field must be well-formed: a quote that the client left open would hide what a proxy has appended.

    Raises:
        HttpError: it is malformed, or has too many parameters.
    """
    elements: list[dict[str, str]] = [{}]
    at = 0
    for _ in range(MOST_PARAMETERS):
        step = STEP.match(value, at)
        if step is None:
            raise HttpError(400, "malformed Forwarded")
        if step["name"]:
            name = step["name"].lower()
            if name in elements[-1]:
                raise HttpError(400, "a parameter twice in Forwarded")
            elements[-1][name] = step["token"] or re.sub(r"\\(.)", r"\1", step["quoted"])
        if not step["end"]:
            return [element for element in elements if element]
        if step["end"] == ",":
            elements.append({})
        at = step.end()
    raise HttpError(400, "too many parameters in Forwarded")


def read_node(text: str) -> tuple[str, str]:
    """Address and port of a client; both empty if it is unknown, obfuscated or behind a unix socket (RFC 7239 6).

    Raises:
        HttpError: it is malformed.
    """
    if "%" in text:
        raise HttpError(400, "an address with a zone from a proxy")  # it has a meaning on one machine alone
    try:
        if text == BY_UNIX_SOCKET:
            return "", ""
        if text.count(":") > 1 and text[0] != "[":
            return spell(ip_address(text)), ""
        node = NODE.fullmatch(text) if len(text) <= LONGEST_NODE else None
        if node is None or int(node["port"] or 0) > 65535:
            raise ValueError(text)
        if NAMELESS.fullmatch(node["name"]):
            return "", ""
        return spell(ip_address(node["name"].strip("[]"))), node["port"] or ""
    except ValueError:
        raise HttpError(400, "malformed address of a client from a proxy") from None


# The fields


def _apply_for(environ: Environ, value: str, hops: int, node: NodeReader) -> None:
    environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = node(choose_entry(value, hops))


def _apply_proto(environ: Environ, value: str, hops: int, node: NodeReader) -> None:
    set_scheme(environ, choose_entry(value, hops))


def _apply_host(environ: Environ, value: str, hops: int, node: NodeReader) -> None:
    set_host(environ, choose_entry(value, hops))


def _apply_port(environ: Environ, value: str, hops: int, node: NodeReader) -> None:
    port = choose_entry(value, hops)
    if not PORT.fullmatch(port) or int(port) > 65535:
        raise HttpError(400, "malformed X-Forwarded-Port")
    environ["SERVER_PORT"] = port


def _apply_prefix(environ: Environ, value: str, hops: int, node: NodeReader) -> None:
    prefix = choose_entry(value, hops)
    prefix = prefix[:-1] if prefix.endswith("/") else prefix  # SCRIPT_NAME has none at its end
    name = unquote_to_bytes(prefix).decode("latin-1")
    if prefix and (not PREFIX.fullmatch(prefix) or MISLEADING.search(name)):
        raise HttpError(400, "malformed X-Forwarded-Prefix")
    path = environ["PATH_INFO"]
    if name != environ["SCRIPT_NAME"] and (path == name or path.startswith(name + "/")):
        environ["PATH_INFO"] = path[len(name) :]
    environ["SCRIPT_NAME"] = name


def _apply_forwarded(environ: Environ, value: str, hops: int, node: NodeReader) -> None:
    elements = read_forwarded(value)
    if not elements:
        raise HttpError(400, "no element in Forwarded")
    chosen = elements[-min(hops, len(elements))]
    if "for" in chosen:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = node(chosen["for"])
    if "proto" in chosen:
        set_scheme(environ, chosen["proto"])
    if "host" in chosen:
        set_host(environ, chosen["host"])


def set_scheme(environ: Environ, scheme: str) -> None:
    """Set the scheme of the client's URL: wsgi.url_scheme, and HTTPS as mod_ssl does."""
    scheme = scheme.lower()
    if scheme not in ("http", "https"):
        raise HttpError(400, "neither http nor https from a proxy")
    environ["wsgi.url_scheme"] = scheme
    if scheme == "https":
        environ["HTTPS"] = "on"
    else:
        environ.pop("HTTPS", None)


def set_host(environ: Environ, host: str) -> None:
    """Set the authority that the client asked for; without a port, the port is the scheme's (RFC 9110 4.2)."""
    try:
        valid = is_host(host.encode("latin-1"))
    except UnicodeEncodeError:
        valid = False
    if not valid:
        raise HttpError(400, "malformed host from a proxy")
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, ""
    environ["HTTP_HOST"] = host
    environ["SERVER_NAME"] = name
    environ["SERVER_PORT"] = port or ("443" if environ["wsgi.url_scheme"] == "https" else "80")


# In this order: a host without a port gets the scheme's port, and X-Forwarded-Port corrects it
FIELDS: list[tuple[str, str, Callable[[Environ, str, int, NodeReader], None]]] = [
    ("x-forwarded-for", "HTTP_X_FORWARDED_FOR", _apply_for),
    ("x-forwarded-proto", "HTTP_X_FORWARDED_PROTO", _apply_proto),
    ("x-forwarded-host", "HTTP_X_FORWARDED_HOST", _apply_host),
    ("x-forwarded-port", "HTTP_X_FORWARDED_PORT", _apply_port),
    ("x-forwarded-prefix", "HTTP_X_FORWARDED_PREFIX", _apply_prefix),
    (FORWARDED, "HTTP_FORWARDED", _apply_forwarded),
]
