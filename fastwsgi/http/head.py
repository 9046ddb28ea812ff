"""The parser of request heads: from bytes to facts and environ, or a refusal.

httptools (llhttp) is the grammar, in both builds. It pushes and cannot pause, so it is given exactly one head: the
bytes up to and including the empty line. It knows a fixed list of methods, some of which change what it makes of the
rest: methods are therefore matched here, and llhttp reads GET in place of each. What http/HTTP.md refuses beyond
llhttp, from "Request line" to "Length of a head", is decided here from what llhttp reported. In the compiled build a
scanner in C comes first: it takes the plain heads, which are nearly all, and leaves the others untouched. It accepts a
strict subset of what this file accepts, with equal facts, so it contains no rule.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from fastwsgi.figures import CALL_NAME_BYTES
from fastwsgi.http.errors import HttpError
from fastwsgi.http.grammar import (
    HOST,
    KNOWN_METHOD,
    LONG_METHOD,
    MAX_BLANK_LINES,
    MAX_PORT,
    METHOD,
    NOT_IN_REQUEST_LINE,
    TLS_HANDSHAKE,
    TOKEN,
    UNSERVED_METHODS,
    VERSION,
)
from fastwsgi.http.keys import CLIENT

if TYPE_CHECKING:
    from fastwsgi.http._inbox_py import Inbox
    from fastwsgi.http.framing import Framing
    from fastwsgi.http.grammar import HeadLimits
    from fastwsgi.http.interfaces import Scanner


class Template:
    """What the environs of one connection start as.

    A client often repeats its fields, or those up to one that changes. Once it has done so a few times, the scanner has
    them in here, too, and takes them with one comparison; each time that one of them changes, it keeps those before
    that, and waits for twice as many repetitions.

    Attributes:
        fields: the lines that *environ* has of the last heads, the first behind the request line; b"" for none.
        enough: how many repetitions it takes to have them.

    Args:
        environ: with the client in it.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ
        self.own: tuple[str, ...] = CLIENT  # keys of what all requests of the connection have
        self.fields = b""
        self.enough = 4

    def add(self, facts: dict[str, str]) -> None:
        """Have *facts*, too, which are known of the connection."""
        self.environ.update(facts)
        self.own = (*CLIENT, *facts)

    def forget_fields(self, plain: dict[str, Any]) -> None:
        """Have no fields any more, but again what *plain* has, the listener's, and what is the connection's own."""
        environ = self.environ
        self.environ = {**plain, **{key: environ[key] for key in self.own}}
        self.fields = b""
        self.enough = min(2 * self.enough, 1 << 20)


class HeadParser:
    """Reads request heads; the attributes hold the facts of the last one.

    Args:
        template: what every environ of the listener starts as.
        limits: how long a head may be.
        framing: the rules of body length.
        scanner: the fast way for plain heads, or None.
        root_path: SCRIPT_NAME, which is taken off the front of PATH_INFO.
        underscores: "drop" fields with an underscore in the name, or "refuse" them.
    """

    def __init__(
        self,
        template: dict[str, Any],
        limits: HeadLimits,
        framing: Framing,
        scanner: Scanner | None = None,
        root_path: str = "",
        underscores: str = "drop",
    ) -> None:
        self.template = template
        self.limits = limits
        self.framing = framing
        self.scanner = scanner
        self.root_path = root_path
        self.underscores = underscores
        # The facts of the last head
        self.environ: dict[str, Any] = {}
        self.name = b""  # method, blank and path, cut, as other processes see it while the request is served
        self.is_head = False
        self.version = 11
        self.body_length = 0  # bytes, or framing.CHUNKED_BODY
        self.keep_alive = True
        self.expect_continue = False
        self.is_https = False  # the target is an https URL
        # What llhttp has reported of the head that it is given
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._key_of = lru_cache(maxsize=512)(environ_key)  # of its own, as a cache has a lock

    def new_template(self) -> Template:
        """A template for one connection, in which the client is still missing."""
        return Template(dict(self.template))

    def parse(self, inbox: Inbox, template: Template | None) -> bool:
        """Take one head from *inbox*: True with the facts set, False while it is not complete.

        The environ starts as *template*, or where a connection has none, as the listener's.

        Raises:
            HttpError: the head is refused.
        """
        taken = self.scanner is not None and self.scanner.scan(inbox, self, template)
        if not taken and not self._parse_any(inbox, template):
            return False
        if self.root_path:
            self._split_path()
        return True

    def examine(self, inbox: Inbox) -> None:
        """Refuse the incomplete head in *inbox* if no continuation could make it right.

        Of an incomplete request line, only the alphabet and the length can be judged.

        Raises:
            HttpError: the head is refused.
        """
        blank = _blank_size(inbox)
        raw = inbox.peek(self.limits.head + blank)[blank:]
        if raw.startswith(TLS_HANDSHAKE):
            raise HttpError(400, "TLS where HTTP is spoken")
        lines = raw.rstrip(b"\r\n").split(b"\r\n")
        self._check_lengths(lines)
        if inbox.has_bare_line_end(blank):
            raise HttpError(400, "bare CR or LF")
        whole = raw[: raw.rfind(b"\r\n") + 2] if b"\r\n" in raw else b""
        if whole:
            self._feed(_without_repeated_lengths(whole), lines[0])
        elif NOT_IN_REQUEST_LINE.search(lines[0]) is not None:
            raise HttpError(400, "malformed request line")

    def _parse_any(self, inbox: Inbox, template: Template | None) -> bool:
        blank = _blank_size(inbox)
        size = inbox.head_size(blank)
        if size == 0 and inbox.available() - blank <= self.limits.head:
            return False
        if size == 0 or size - blank > self.limits.head:
            self._check_lengths(inbox.peek(self.limits.head + blank)[blank:].split(b"\r\n"))
            raise HttpError(431, "head over the limit")
        raw = inbox.take(size)[blank:]
        lines = raw[:-4].split(b"\r\n")
        self._check_lengths(lines)
        self._feed(_without_repeated_lengths(raw), lines[0])
        self._decide(self._begin_environ(template), *lines[0].split(b" "))
        return True

    def _begin_environ(self, template: Template | None) -> dict[str, Any]:
        if template is None:
            return dict(self.template)
        if template.fields:
            template.forget_fields(self.template)
        return dict(template.environ)

    def _check_lengths(self, lines: list[bytes]) -> None:
        """Hold a head, or the part of it that has arrived, to the limits (RFC 9112 3, RFC 6585 5)."""
        if LONG_METHOD.match(lines[0]) is not None:
            raise HttpError(501, "method over 32 bytes")
        if len(lines[0]) > self.limits.line:
            raise HttpError(414, "request line over the limit")
        if len(lines) - 1 > self.limits.fields:
            raise HttpError(431, "too many fields")
        if len(lines) > 1 and max(map(len, lines[1:])) > self.limits.field:
            raise HttpError(431, "field over the limit")

    def _feed(self, raw: bytes, line: bytes) -> None:
        """Give llhttp one head, or the beginning of one with a whole request *line*.

        Transfer-Encoding is checked by framing.py alone.
        """
        _check_line(line)
        self._target = b""
        self._fields = []
        parser = HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_chunked_length=True, lenient_transfer_encoding=True)
        try:
            parser.feed_data(KNOWN_METHOD + raw[line.index(b" ") :])
        except HttpParserUpgrade:
            pass  # ignored: the request is served as HTTP/1.1 (RFC 9110 7.8)
        except HttpParserError as error:
            raise HttpError(400, str(error)) from None

    # The callbacks of llhttp

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value.strip(b" \t")))

    # The rules beyond llhttp

    def _decide(self, environ: dict[str, Any], method: bytes, target: bytes, version: bytes) -> None:
        """Set the facts and *environ* from the request line and what llhttp has reported, or refuse the head."""
        if target != self._target:
            raise HttpError(400, "malformed request line")
        self.version = 11 if version == b"HTTP/1.1" else 10
        self.is_head = method == b"HEAD"
        self.name = (method + b" " + target.partition(b"?")[0])[:CALL_NAME_BYTES]
        environ["REQUEST_METHOD"] = method.decode("latin-1")
        environ["SERVER_PROTOCOL"] = version.decode("latin-1")
        authority = _read_target(environ, method, target)
        self.is_https = authority is not None and target[:5].lower() == b"https"
        hosts, lengths, codings = self._read_fields(environ)
        self._decide_host(environ, hosts, authority)
        self.body_length = self.framing.request_length(self.version, lengths, codings)
        if lengths:
            environ["CONTENT_LENGTH"] = lengths[0].decode("latin-1")
        self._decide_expect(environ)
        options = [option.strip(" \t").lower() for option in environ.get("HTTP_CONNECTION", "").split(",")]
        self.keep_alive = "close" not in options and (self.version == 11 or "keep-alive" in options)
        self.environ = environ

    def _read_fields(self, environ: dict[str, Any]) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """Put the fields into *environ*, except for the result: Host, Content-Length and Transfer-Encoding."""
        hosts: list[bytes] = []
        lengths: list[bytes] = []
        codings: list[bytes] = []
        apart = {"HTTP_HOST": hosts, "CONTENT_LENGTH": lengths, "HTTP_TRANSFER_ENCODING": codings}
        for name, value in self._fields:
            key = self._key_of(name)
            if b"_" in name:
                self._drop_underscore(name.lower())
            elif key in apart:
                apart[key].append(value)
            elif key not in environ:
                environ[key] = value.decode("latin-1")
            elif key != "CONTENT_TYPE":
                environ[key] += _separator(key) + value.decode("latin-1")
            elif environ[key] != value.decode("latin-1"):
                raise HttpError(400, "two Content-Types")
        return hosts, lengths, codings

    def _drop_underscore(self, name: bytes) -> None:
        """Refuse a field or leave it out: in environ "_" would look like "-", which could change the framing."""
        if name.replace(b"_", b"-") in (b"content-length", b"transfer-encoding"):
            raise HttpError(400, "underscore in a framing field")
        if self.underscores == "refuse":
            raise HttpError(400, "underscore in a field name")

    def _decide_host(self, environ: dict[str, Any], hosts: list[bytes], authority: bytes | None) -> None:
        """Exactly one valid Host in HTTP/1.1 (RFC 9112 3.2); an absolute target overrides it (3.2.2)."""
        if len(hosts) > 1 or (not hosts and self.version == 11):
            raise HttpError(400, "not exactly one Host")
        for host in hosts if authority is None else [*hosts, authority]:
            if not is_host(host):
                raise HttpError(400, "malformed Host")
            environ["HTTP_HOST"] = host.decode("latin-1")

    def _decide_expect(self, environ: dict[str, Any]) -> None:
        """Accept 100-continue as the only expectation; HTTP/1.0 cannot wait for it (RFC 9110 10.1.1)."""
        expect = environ.get("HTTP_EXPECT")
        if expect is not None and expect.lower() != "100-continue":
            raise HttpError(417, "unknown expectation")
        self.expect_continue = expect is not None and self.version == 11

    def _split_path(self) -> None:
        """Take SCRIPT_NAME off the front of PATH_INFO, if whole segments of the path are equal to it."""
        path = self.environ["PATH_INFO"]
        if path == self.root_path or path.startswith(self.root_path + "/"):
            self.environ["PATH_INFO"] = path[len(self.root_path) :]


def _blank_size(inbox: Inbox) -> int:
    """The bytes of the empty lines before a request line, of which a few are skipped (RFC 9112 2.2)."""
    raw = inbox.peek(2 * MAX_BLANK_LINES + 2)
    size = 0
    while raw.startswith(b"\r\n", size):
        size += 2
    if size > 2 * MAX_BLANK_LINES:
        raise HttpError(400, "empty lines instead of a request")
    return size


def _check_line(line: bytes) -> None:
    """Refuse a request line for its parts, its version or its method (RFC 9112 3)."""
    parts = line.split(b" ")
    if len(parts) != 3 or VERSION.fullmatch(parts[2]) is None:
        raise HttpError(400, "malformed request line")
    if parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise HttpError(505, "HTTP/2" if parts[2] == b"HTTP/2.0" else "unknown HTTP version")
    method = parts[0]
    if TOKEN.fullmatch(method) is None:
        raise HttpError(400, "malformed method")
    if METHOD.fullmatch(method) is None or method in UNSERVED_METHODS:
        raise HttpError(501, "unknown method")


def _without_repeated_lengths(raw: bytes) -> bytes:
    """*raw* with one of several equal Content-Length lines: llhttp refuses them, RFC 9112 6.3 allows them."""
    if raw.lower().count(b"\r\ncontent-length:") < 2:
        return raw
    lines = raw.split(b"\r\n")
    said = [line for line in lines[1:] if line[:15].lower() == b"content-length:"]
    if len({line[15:].strip(b" \t") for line in said}) > 1:
        return raw
    others = [line for line in lines[1:] if line not in said]
    return b"\r\n".join([lines[0], said[0], *others])


def is_host(host: bytes) -> bool:
    """Whether *host* is uri-host [":" port], its IP-literal an IPv6 address or an IPvFuture, its port one of TCP."""
    found = HOST.fullmatch(host)
    if found is None or int(found["port"] or 0) > MAX_PORT:
        return False
    if found["ipv6"] is None:
        return True
    try:
        IPv6Address(found["ipv6"].decode("ascii"))
    except ValueError:
        return False
    return True


def _read_target(environ: dict[str, Any], method: bytes, target: bytes) -> bytes | None:
    """Put the request target into *environ* (RFC 9112 3.2): the authority of an absolute one, else None."""
    environ["RAW_URI"] = environ["REQUEST_URI"] = target.decode("latin-1")
    if b"#" in target:
        raise HttpError(400, "fragment in the target")
    authority = None
    if target == b"*":
        if method != b"OPTIONS":
            raise HttpError(400, "asterisk-form without OPTIONS")
        target = b""
    elif not target.startswith(b"/"):
        authority, target = _split_absolute(target)
    path, _, query = target.partition(b"?")
    decoded = unquote_to_bytes(path)
    if b"\\" in path or b"\0" in decoded:
        raise HttpError(400, "backslash or NUL in the path")
    environ["PATH_INFO"] = decoded.decode("latin-1")
    environ["QUERY_STRING"] = query.decode("latin-1")
    return authority


def _split_absolute(target: bytes) -> tuple[bytes, bytes]:
    """Authority and origin-form of an absolute-form target."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        raise HttpError(400, "neither origin-form nor absolute-form")
    end = min([at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0], default=len(rest))
    path = rest[end:]
    return rest[:end], path if path.startswith(b"/") else b"/" + path


def environ_key(name: bytes) -> str:
    """The key in environ of the field *name* (PEP 3333, "environ Variables"; RFC 3875 4.1.18)."""
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if name.lower() in (b"content-length", b"content-type") else "HTTP_" + key


def _separator(key: str) -> str:
    """What joins the values of a field that was sent twice (RFC 9110 5.3, for Cookie RFC 6265 5.4)."""
    return "; " if key == "HTTP_COOKIE" else ", "
