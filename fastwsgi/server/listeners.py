"""Listening sockets: HOST:PORT, [IPv6]:PORT and unix:/path, and what to say when one cannot be had."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path
from weakref import WeakKeyDictionary

DEFER_SECONDS = 1  # a connection whose first bytes do not come in this time is accepted without them


class BindError(OSError):
    """An address cannot be listened on; str() is one line that says why and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


def open_listener(address: str, backlog: int = 2048, defer_accept: bool = True) -> socket.socket:
    """A non-blocking socket that listens on *address*.

    Args:
        address: HOST:PORT, [IPv6]:PORT, :PORT, HOST or unix:/path. Port 0 lets the system choose.
        backlog: connections that may wait for accept.
        defer_accept: whether Linux holds a connection back until its first bytes are there.

    Raises:
        BindError: in one line.
    """
    if address.startswith("unix:"):
        return _listen_unix(address[5:], backlog)
    host, port = split_address(address)
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise BindError(f"cannot find the host {host!r} of {address!r}: give an address of this machine") from None
    family, _, _, _, target = found[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(target)
        prepare(listener, defer_accept)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise BindError(_explain(address, port, error)) from None
    return listener


def prepare(listener: socket.socket, defer_accept: bool) -> None:
    """Set what accepted connections inherit, and make *listener* non-blocking."""
    listener.setblocking(False)
    if listener.family in (socket.AF_INET, socket.AF_INET6):
        # Linux hands it down to accepted sockets: one call in place of one a connection
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if defer_accept and hasattr(socket, "TCP_DEFER_ACCEPT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_SECONDS)


def split_address(address: str) -> tuple[str, int]:
    """Host and port of a TCP address; BindError if it is none."""
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        host, port = address, "8000"
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise BindError(f"{address!r} has no port from 0 to 65535: write HOST:PORT, [IPv6]:PORT or unix:/path")
    return host, int(port)


def spell_address(listener: socket.socket) -> str:
    """Where *listener* listens, as a user would type it."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{os.fsdecode(name)}"
    host = f"[{name[0]}]" if listener.family == socket.AF_INET6 else name[0]
    return f"http://{host}:{name[1]}"


def close_listener(listener: socket.socket) -> None:
    """Stop listening; the path of a unix socket goes too."""
    path = os.fsdecode(listener.getsockname()) if listener.family == socket.AF_UNIX else ""
    if path and _made.pop(listener, None) == _identity(path):  # it may be another server's by now
        Path(path).unlink(missing_ok=True)
    listener.close()


# The unix sockets made here, and what stood at their paths then
_made: WeakKeyDictionary[socket.socket, tuple[int, int]] = WeakKeyDictionary()


def _identity(path: str) -> tuple[int, int]:
    try:
        status = os.lstat(path)
    except OSError:
        return (0, 0)
    return (status.st_dev, status.st_ino)


def _listen_unix(path: str, backlog: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        listener.bind(path)
        _made[listener] = _identity(path)
        listener.listen(backlog)
        listener.setblocking(False)
    except BindError:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise BindError(f"cannot make the socket {path}: {reason}; choose a path you may write to") from None
    return listener


def _remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on any more; BindError if the path is somebody's."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise BindError(f"{path} exists and is no socket: choose another path")
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(1)
    try:
        probe.connect(path)
    except ConnectionRefusedError:
        os.unlink(path)
    else:
        raise BindError(f"another server listens on {path}: stop it, or choose another path")
    finally:
        probe.close()


def _explain(address: str, port: int, error: OSError) -> str:
    """What to do about a bind() that failed."""
    if error.errno == errno.EADDRINUSE:
        return f"{address} is taken{_holder(port)}: stop what listens there, or choose another port with --bind"
    if error.errno == errno.EACCES:
        return f"not allowed to listen on {address}: ports below 1024 want privileges; choose a higher one"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{address} is no address of this machine: 0.0.0.0 listens on all of them"
    return f"cannot listen on {address}: {os.strerror(error.errno or 0)}"


def _holder(port: int) -> str:
    """Who listens on *port*, as far as /proc tells this user: " by NAME (pid N)"."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port:  # 0A: LISTEN
                inodes.add(f"socket:[{columns[9]}]")
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        try:
            if any(os.readlink(fd) in inodes for fd in process.joinpath("fd").iterdir()):
                return f" by {process.joinpath('comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue
    return ""
