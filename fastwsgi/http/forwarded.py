"""Who the client is and what it asked for, as trusted proxies say it in fields of the request.

    X-Forwarded-For     REMOTE_ADDR, and REMOTE_PORT where a port is given
    X-Forwarded-Proto   wsgi.url_scheme and HTTPS
    X-Forwarded-Host    HTTP_HOST, SERVER_NAME and SERVER_PORT
    X-Forwarded-Port    SERVER_PORT
    X-Forwarded-Prefix  SCRIPT_NAME, which is taken off the front of PATH_INFO
    Forwarded           the first three, by its "for", "proto" and "host" (RFC 7239)

Only fields that the operator has named are believed, and only from peers that he trusts: what a proxy does not write
itself it passes on, and then it is the client who speaks. In a list each proxy appends its entry, so that the last
ones, as many as there are proxies, were written by them and the others by anybody. The one to take is the farthest of
the last: where there are fewer entries, the first. A chosen entry that is malformed refuses the request with 400: to go
on with the proxy's own address would give a stranger the rights of the machine next door.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Callable
from urllib.parse import unquote_to_bytes

from fastwsgi.http.errors import HttpError
from fastwsgi.http.grammar import TOKEN_CHARS
from fastwsgi.http.head import is_host
from fastwsgi.http.peers import Trusted, read_address

Environ = dict[str, Any]

PEER = "fastwsgi.peer_addr"
FORWARDED = "forwarded"
OTHERS = "HTTP_X_FORWARDED_"  # what the names of de-facto fields begin with, those too that are not read here

# forwarded-pair [ ";" or "," ]: what one step of the reading takes (RFC 7239 4); blanks are taken around both
_TOKEN = f"[{re.escape(TOKEN_CHARS.decode())}]+"
STEP = re.compile(
    rf'[ \t]*(?:(?P<name>{_TOKEN})=(?:(?P<token>{_TOKEN})|"(?P<quoted>(?:[^"\\]|\\.)*)")[ \t]*)?(?P<end>[;,]|\Z)'
)
# node (RFC 7239 6): what stands before the port, and a port that is a number or obfuscated
NODE = re.compile(r"(?P<name>\[[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]|[^:\[\]]+)(?::(?:(?P<port>[0-9]{1,5})|_[A-Za-z0-9._-]+))?")
MOST_PARAMETERS = 256  # of one Forwarded field, empty ones included
LONGEST_NODE = 128  # bytes: an obfuscated one may have any length, and they are kept
NAMELESS = re.compile(r"_[A-Za-z0-9._-]+|unknown", re.IGNORECASE)
BY_UNIX_SOCKET = "unix:"  # what nginx says of such a client
PORT = re.compile(r"[1-9][0-9]{0,4}")
PREFIX = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+;=:@/-]|%[0-9A-Fa-f]{2})+")
# What would be another host or path in a URL that is made of SCRIPT_NAME
MISLEADING = re.compile(r"//|\\|\0|/\.\.?(?:/|\Z)|/\Z")


class Forwarding:
    """What is believed of whom.

    Args:
        settings: forwarded_allow_ips, forwarded_headers, forwarded_hops and forwarded_untrusted are read.
    """

    def __init__(self, settings: Any) -> None:
        self._trusted = Trusted(settings.forwarded_allow_ips)
        self._hops = settings.forwarded_hops
        self._drops = settings.forwarded_untrusted == "drop"
        self._believed = [(key, read) for name, key, read in FIELDS if name in settings.forwarded_headers]
        self._keys = {key for key, _ in self._believed}

    def describer(self, host: str) -> Callable[[Environ], None]:
        """What to call with each environ of a connection of *host*, after REMOTE_ADDR was set.

        It raises HttpError for what a trusted proxy has malformed.
        """
        return self._believe if host in self._trusted else self._ignore

    def _believe(self, environ: Environ) -> None:
        environ.setdefault(PEER, environ["REMOTE_ADDR"])
        if self._drops:
            drop_fields(environ, self._keys)
        for key, read in self._believed:
            value = environ.get(key)
            if value:
                read(environ, value, self._hops)

    def _ignore(self, environ: Environ) -> None:
        environ.setdefault(PEER, environ["REMOTE_ADDR"])
        if self._drops:
            drop_fields(environ, set())


def drop_fields(environ: Environ, kept: set[str]) -> None:
    """Take all fields of forwarding out of *environ*, but those *kept*."""
    for key in [key for key in environ if key.startswith(OTHERS) or key == "HTTP_FORWARDED"]:
        if key not in kept:
            del environ[key]


# One entry out of a list


def pick(value: str, hops: int) -> str:
    """The entry that the farthest of *hops* proxies has appended, or the first if there are fewer."""
    entries = value.rsplit(",", hops)
    return entries[-min(hops, len(entries))].strip(" \t")


def read_forwarded(value: str) -> list[dict[str, str]]:
    """The elements of a Forwarded field, each with its parameters by their lower-case name (RFC 7239 4).

    The whole field has to be right: a quote that the client left open would hide what a proxy has appended.

    Raises:
        HttpError: it is malformed, or has too many of them.
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


@lru_cache(maxsize=4096)
def read_node(text: str) -> tuple[str, str]:
    """Address and port of a client; one that is unknown, obfuscated or came by a unix socket has neither (RFC 7239 6).

    Raises:
        HttpError: it is malformed.
    """
    try:
        if text == BY_UNIX_SOCKET:
            return "", ""
        if text.count(":") > 1 and text[0] != "[":
            return read_address(text), ""
        node = NODE.fullmatch(text) if len(text) <= LONGEST_NODE else None
        if node is None or int(node["port"] or 0) > 65535:
            raise ValueError(text)
        if NAMELESS.fullmatch(node["name"]):
            return "", ""
        return read_address(node["name"].strip("[]")), node["port"] or ""
    except ValueError:
        raise HttpError(400, "malformed address of a client from a proxy") from None


# What each field says


def _take_for(environ: Environ, value: str, hops: int) -> None:
    environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = read_node(pick(value, hops))


def _take_proto(environ: Environ, value: str, hops: int) -> None:
    set_scheme(environ, pick(value, hops))


def _take_host(environ: Environ, value: str, hops: int) -> None:
    set_host(environ, pick(value, hops))


def _take_port(environ: Environ, value: str, hops: int) -> None:
    port = pick(value, hops)
    if not PORT.fullmatch(port) or int(port) > 65535:
        raise HttpError(400, "malformed X-Forwarded-Port")
    environ["SERVER_PORT"] = port


def _take_prefix(environ: Environ, value: str, hops: int) -> None:
    prefix = pick(value, hops)
    prefix = prefix[:-1] if prefix.endswith("/") else prefix  # SCRIPT_NAME has none at its end
    name = unquote_to_bytes(prefix).decode("latin-1")
    if prefix and (not PREFIX.fullmatch(prefix) or MISLEADING.search(name)):
        raise HttpError(400, "malformed X-Forwarded-Prefix")
    path = environ["PATH_INFO"]
    if name != environ["SCRIPT_NAME"] and (path == name or path.startswith(name + "/")):
        environ["PATH_INFO"] = path[len(name) :]
    environ["SCRIPT_NAME"] = name


def _take_forwarded(environ: Environ, value: str, hops: int) -> None:
    elements = read_forwarded(value)
    if not elements:
        return
    chosen = elements[-min(hops, len(elements))]
    if "for" in chosen:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = read_node(chosen["for"])
    if "proto" in chosen:
        set_scheme(environ, chosen["proto"])
    if "host" in chosen:
        set_host(environ, chosen["host"])


def set_scheme(environ: Environ, scheme: str) -> None:
    """The scheme of the URL as the client has it: wsgi.url_scheme, and HTTPS as mod_ssl has it."""
    scheme = scheme.lower()
    if scheme not in ("http", "https"):
        raise HttpError(400, "neither http nor https from a proxy")
    environ["wsgi.url_scheme"] = scheme
    if scheme == "https":
        environ["HTTPS"] = "on"
    else:
        environ.pop("HTTPS", None)


def set_host(environ: Environ, host: str) -> None:
    """The authority that the client asked for; without a port it is the scheme's (RFC 9110 4.2)."""
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


# The order counts: a host without a port has that of the scheme, and X-Forwarded-Port corrects it
FIELDS: list[tuple[str, str, Callable[[Environ, str, int], None]]] = [
    ("x-forwarded-for", "HTTP_X_FORWARDED_FOR", _take_for),
    ("x-forwarded-proto", "HTTP_X_FORWARDED_PROTO", _take_proto),
    ("x-forwarded-host", "HTTP_X_FORWARDED_HOST", _take_host),
    ("x-forwarded-port", "HTTP_X_FORWARDED_PORT", _take_port),
    ("x-forwarded-prefix", "HTTP_X_FORWARDED_PREFIX", _take_prefix),
    (FORWARDED, "HTTP_FORWARDED", _take_forwarded),
]
