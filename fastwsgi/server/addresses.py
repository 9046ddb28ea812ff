"""The addresses that `bind` may name, from text and back to text. Nothing is opened here."""

from __future__ import annotations

import re
import sys
from typing import Union

from fastwsgi.originals import os, socket
from fastwsgi.records import NamedTuple

DEFAULT_PORT = "8000"
FORMS = "write HOST:PORT, [IPv6]:PORT, unix:/path or fd://NUMBER"


class BindError(OSError):
    """A failure to listen on an address; str() is one line that says why and what to do.

    Attributes:
        is_ours: the address is taken, by a process of this program.
    """

    def __init__(self, message: str, is_ours: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_ours = is_ours

    def __str__(self) -> str:
        return self.message


class Tcp(NamedTuple):
    """A host, empty for all of IPv4, "*" for all of IPv4 and IPv6, and a port, 0 for one that the system chooses."""

    host: str
    port: int


class Unix(NamedTuple):
    """A path, or an abstract name (Linux), which begins with a NUL character and is not a file."""

    path: str

    @property
    def is_abstract(self) -> bool:
        """Whether it has no file."""
        return self.path.startswith("\0")


class Inherited(NamedTuple):
    """A file descriptor that the parent process has left open."""

    fd: int


Address = Union[Tcp, Unix, Inherited]


def parse_address(text: str) -> Address:
    """The address that *text* names.

    Args:
        text: HOST:PORT, [IPv6]:PORT, :PORT, *:PORT, HOST, tcp://HOST:PORT, unix:/path, unix:@name or fd://N.

    Raises:
        BindError: it is none of these.
    """
    if text.startswith("unix:"):
        return _unix(text)
    if text.startswith("fd://"):
        if not re.fullmatch("fd://[0-9]{1,9}", text):
            raise BindError(f"{text!r} names no file descriptor: write fd:// and its number, such as fd://3")
        return Inherited(int(text[5:]))
    text = text[6:] if text.startswith("tcp://") else text
    if "/" in text:
        path = re.fullmatch("[^:]*", text)
        url = re.fullmatch("https?://([^/]+)/?", text)
        meant = f"write unix:{text}" if path else f"write {url[1]}" if url else FORMS
        raise BindError(f"{text!r} is no address: {meant}")
    return Tcp(*split_address(text))


def split_address(text: str) -> tuple[str, int]:
    """The host and port of a TCP address. Raises BindError."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, DEFAULT_PORT
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise BindError(f"{text!r} has no port from 0 to 65535: {FORMS}")
    if host.isascii() and host.isdigit() and not bracketed:  # inet_aton(3) takes 8000 for 0.0.31.64
        meant = suggest_address(host)
        problem = f"is a port without a host: write {meant}" if meant else f"has no port from 0 to 65535: {FORMS}"
        raise BindError(f"{text!r} {problem}")
    if ":" in host and not bracketed:
        meant = f"[{host}]:{port}" if host.count(":") > 1 else f"[{text}]:PORT"
        raise BindError(f"{text!r} does not tell host from port: write {meant} if it is an IPv6 address")
    return host, int(port)


def suggest_address(value: object) -> str:
    """The address that a port alone, or a pair of host and port, was probably meant to be; "" for anything else."""
    pair = value if isinstance(value, (tuple, list)) and len(value) == 2 else ("127.0.0.1", value)
    host, port = pair[0] or "0.0.0.0", pair[1]
    if not isinstance(host, str) or not is_port(port) or (pair is value and isinstance(port, str)):
        return ""
    if host.count(":") == 1:  # it has a port already
        return ""
    return join_address(host, port)


def join_address(host: str, port: object) -> str:
    """The text of the TCP address with that host, a name or an address, and that port."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def is_port(value: object) -> bool:
    """Whether *value* is a number from 0 to 65535, or its text."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return False
    return re.fullmatch("[0-9]{1,5}", str(value)) is not None and int(value) < 65536


def _unix(text: str) -> Unix:
    path = re.sub("^unix:(//)?", "", text)
    if path in ("", "@") or "\0" in path:
        raise BindError(f"{text!r} names no socket: write unix: and its path, such as unix:/run/shop.sock")
    if not path.startswith("@"):
        return Unix(path)
    if sys.platform != "linux":
        raise BindError(f"{text!r} is an abstract socket, which only Linux has: write unix: and a path")
    return Unix("\0" + path[1:])


def spell_address(listener: socket.socket, scheme: str = "http") -> str:
    """Where *listener* listens, as a user would write it; a unix socket has no *scheme*."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return "unix:" + os.fsdecode(name).replace("\0", "@", 1)
    host = f"[{name[0]}]" if listener.family == socket.AF_INET6 else name[0]
    return f"{scheme}://{host}:{name[1]}"
