"""Listening sockets: opened or inherited, TCP or unix, and the explanation when that fails."""

from __future__ import annotations

import errno
from pathlib import Path

from fastwsgi.originals import os, socket
from fastwsgi.server import unix_sockets
from fastwsgi.server.addresses import BindError, Inherited, Unix, parse_address, spell_address
from fastwsgi.server.unix_sockets import ListeningSocket

__all__ = [
    "BindError",
    "ListeningSocket",
    "adopt",
    "close_listener",
    "open_listener",
    "prepare",
    "spell_address",
]

DEFER_SECONDS = 1  # a connection whose first bytes do not arrive in this time is accepted without them


def open_listener(
    address: str,
    backlog: int = 2048,
    defer_accept: bool = True,
    *,
    reuse_port: bool = False,
    socket_mode: int | None = None,
    owner: tuple[int, int] | None = None,
    option: str = "--bind",
) -> ListeningSocket:
    """A non-blocking socket that listens on *address*.

    Args:
        address: as addresses.parse_address() gives it. Port 0 lets the system choose. For fd://N see adopt().
        backlog: connections that may wait for accept.
        defer_accept: whether Linux holds a connection back until its first bytes have arrived.
        reuse_port: let other sockets with this option listen on the same TCP port; Linux distributes the connections.
        socket_mode: the file mode of a unix socket, such as 0o660; None: as the umask has it.
        owner: user and group IDs that a unix socket gets; None: those of this process.
        option: that has given the address, for messages.

    Raises:
        BindError: with one line that says why and what to do.
    """
    parsed = parse_address(address)
    if isinstance(parsed, Inherited):
        return adopt(parsed.fd)
    if isinstance(parsed, Unix):
        return unix_sockets.listen(parsed, backlog, socket_mode, owner)
    family, target = _look_up(address, parsed.host, parsed.port)
    listener = ListeningSocket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            _share_port(listener)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, parsed.host != "*")
        listener.bind(target)
        prepare(listener, defer_accept)
        listener.listen(backlog)
    except BindError:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        raise _explained(address, parsed.port, error, option) from None
    return listener


def adopt(fd: int) -> ListeningSocket:
    """The listening socket that this process has inherited as *fd*, made non-blocking and close-on-exec.

    Its backlog, deferred accept and path stay as the process that opened it set them.

    Raises:
        BindError: *fd* is not a listening stream socket; it is left as it was.
    """
    try:
        listener = ListeningSocket(fileno=fd)
    except OSError as error:
        problem = "no socket" if error.errno == errno.ENOTSOCK else "not open"
        raise BindError(f"fd://{fd} is {problem}: the process that starts this one has to pass a listener") from None
    problem = _what_is_wrong(listener)
    if problem:
        listener.detach()
        raise BindError(f"fd://{fd} is {problem}: give the number of a listening TCP or unix socket")
    os.set_inheritable(fd, False)
    prepare(listener, defer_accept=False)
    return listener


def prepare(listener: socket.socket, defer_accept: bool) -> None:
    """Make *listener* non-blocking, and set what accepted connections inherit."""
    listener.setblocking(False)
    if listener.family in (socket.AF_INET, socket.AF_INET6):
        # Accepted sockets inherit it on Linux: one call, not one for each connection
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if defer_accept and hasattr(socket, "TCP_DEFER_ACCEPT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_SECONDS)


def close_listener(listener: socket.socket) -> None:
    """Close *listener*, and remove the path of a unix socket if it is this process's to remove."""
    if isinstance(listener, ListeningSocket):
        listener.remove_path()
    listener.close()


def _look_up(address: str, host: str, port: int) -> tuple[socket.AddressFamily, tuple[object, ...]]:
    """The family and socket address of *host*. Raises BindError."""
    if host == "*":
        host = "::" if _has_ipv6() else ""
    name = host.encode("ascii") if host.isascii() else host  # text is encoded as IDNA, whose modules take 0.5 MB
    try:
        found = socket.getaddrinfo(name or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError, ValueError):  # the last two for names that IDNA or C cannot express
        raise BindError(f"cannot find the host {host!r} of {address!r}: give an address of this machine") from None
    return found[0][0], found[0][4]


def _has_ipv6() -> bool:
    """Whether the system, which may be a container, has IPv6."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


def _share_port(listener: socket.socket) -> None:
    if not hasattr(socket, "SO_REUSEPORT"):
        raise BindError("this system has no SO_REUSEPORT: leave --reuse-port out")
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _what_is_wrong(listener: socket.socket) -> str:
    """Why nothing can be accepted from an inherited socket; empty if it can."""
    if listener.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        return "neither a TCP nor a unix socket"
    if listener.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) != socket.SOCK_STREAM:
        return "no stream socket"
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "not listening"
    return ""


def _explained(address: str, port: int, error: OSError, option: str) -> BindError:
    """The error about a bind() that failed."""
    if error.errno != errno.EADDRINUSE:
        return BindError(_explain(address, error))
    name, pid = _holder(port)
    if pid == os.getpid():
        own = f"{address} is taken by this very process (pid {pid})"
        return BindError(f"{own}: give each address once, or choose another port with {option}")
    by = f" by {name} (pid {pid})" if pid else ""
    line = f"{address} is taken{by}: stop what listens there, or choose another port with {option}"
    return BindError(line, is_ours=name.startswith("fastwsgi"))


def _explain(address: str, error: OSError) -> str:
    """What to do about it, where the address is not taken."""
    if error.errno == errno.EACCES:
        return f"not allowed to listen on {address}: ports below 1024 want privileges; choose a higher one"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{address} is no address of this machine: 0.0.0.0 listens on all of them"
    return f"cannot listen on {address}: {os.strerror(error.errno or 0)}"


def _holder(port: int) -> tuple[str, int]:
    """The name and ID of the process that listens on *port*, if /proc shows it to this user; "" and 0 if not."""
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
                return process.joinpath("comm").read_text().strip(), int(process.name)
        except OSError:
            continue
    return "", 0
